"""Whole scopes, out and in (port `Transfer`): each read in one instant, sensitive values included."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import TypeAlias
from uuid import UUID

import anyio
import asyncpg

from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import NotFoundError
from control_plane.domain.transfer import Exported, Place, Standing, State
from control_plane.postgres.errors import driver_errors
from control_plane.postgres.pool import fetch
from control_plane.postgres.queries import sql
from control_plane.postgres.reads import Reads
from control_plane.postgres.rows import attributed, scope
from control_plane.postgres.sealing.opening import Opening
from control_plane.postgres.sealing.seals import Seals
from shared.domain.codec import Json, decode, encode
from shared.domain.entry import WITH_VALUE, Kind
from shared.domain.scope import Scope

_AUDIT = sql("audit_export")
_BEGIN = sql("begin_export")
_EXPORT = sql("export")
_HEAD = sql("transfer_head")
_REST = sql("transfer_rest")
_STATE = sql("transfer_state")

_Connection: TypeAlias = "asyncpg.Connection | asyncpg.pool.PoolConnectionProxy"
_BATCH = 100
"""Rows in memory at once."""
_AT_ONCE = 2
"""Exports that run at the same time: each holds a connection for as long as its reader takes."""
_DEADLINE_S = 600.0
"""For one export, however slow its reader is."""


class PostgresTransfer:
    """Reads whole scopes."""

    def __init__(self, pool: asyncpg.Pool, seals: Seals, reads: Reads | None = None) -> None:
        self._pool, self._seals, self._primary, self._reads = pool, seals, Reads(pool), reads or Reads(pool)
        self._running = anyio.CapacityLimiter(_AT_ONCE)

    @asynccontextmanager
    async def export(
        self, app_id: str | None, *, secrets: bool, audited: Mapping[str, Json], by: Attribution
    ) -> AsyncIterator[Exported]:
        """Everything, or one application without the global scope; audited as a reveal before anything is read."""
        object_ = "global" if app_id is None else str(Scope(app_id))
        detail = encode({**audited, "app_id": app_id}).decode()
        if not await fetch(self._pool, _AUDIT, app_id, attributed(by), object_, detail):
            kind = "application"
            raise NotFoundError(kind, app_id or "")
        async with self._running, _instant(self._reads) as connection:
            [head] = await connection.fetch(_BEGIN)
            yield Exported(_uuid(head["id"]), head["revision"], self._rows(connection, app_id, secrets=secrets))

    async def _rows(
        self, connection: _Connection, app_id: str | None, *, secrets: bool
    ) -> AsyncIterator[Place | Standing]:
        before: tuple[str, str] | None = None
        async for row in connection.cursor(_EXPORT, app_id, secrets, prefetch=_BATCH):
            if (here := (row["app_id"], row["environment"])) != before:
                before = here
                yield Place(scope(*here), row["about"])
            if row["key"] is not None:
                yield _standing(row, await self._seals.opening([row], "value"), deleted=False)

    async def state(
        self, scopes: Collection[Scope], keys: Collection[tuple[Scope, str]], *, rest: bool = False
    ) -> State:
        """What stands under these keys, tombstones and sensitive values too. Never for anybody's eyes."""
        places = _columns(scopes)
        named = (*_columns([each for each, _ in keys]), [key for _, key in keys])
        async with _instant(self._primary) as connection:
            [head] = await connection.fetch(_HEAD, *places)
            rows = await connection.fetch(_REST, *places) if rest else []
            rows += await connection.fetch(_STATE, *named)
        opening = await self._seals.opening(rows, "value")
        entries = (_standing(row, opening, deleted=row["deleted"]) for row in rows)
        return State(
            installation=_uuid(head["id"]),
            revision=head["revision"],
            registered=frozenset(scope(*each) for each in head["registered"]),
            entries={(each.scope, each.key): each for each in entries},
        )


@asynccontextmanager
async def _instant(reads: Reads) -> AsyncIterator[_Connection]:
    """A connection on which every statement sees the same instant."""
    async with reads.connection() as connection:
        with driver_errors(), anyio.fail_after(_DEADLINE_S):
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                yield connection


def _columns(scopes: Collection[Scope]) -> tuple[list[str], list[str]]:
    return [each.app_id or "" for each in scopes], [each.environment or "" for each in scopes]


def _standing(row: asyncpg.Record, opening: Opening, *, deleted: bool) -> Standing:
    kind = Kind(row["kind"])
    return Standing(
        scope=scope(row["app_id"], row["environment"]),
        key=row["key"],
        kind=kind,
        value=opening.value(row) if kind in WITH_VALUE else b"",
        sensitive=row["sensitive"],
        description=row["description"],
        owner=row["owner"],
        labels=decode(row["labels"]),
        revision=row["revision"],
        deleted=deleted,
    )


def _uuid(found: UUID) -> UUID:
    """The driver's UUIDs are of a class of its own."""
    return UUID(int=found.int)

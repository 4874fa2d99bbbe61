"""Rollouts, and what happened to them (port `Rollouts`)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

import asyncpg

from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import NotFoundError, StaleRolloutError
from control_plane.domain.transition import RolloutEvent, StoredRollout, Transition
from control_plane.ports.pages import Page
from control_plane.ports.rollouts import RolloutFilter
from control_plane.postgres.cursors import BEFORE_ALL, page, read_cursor
from control_plane.postgres.drafts import transition_document
from control_plane.postgres.pool import fetch, fetch_row
from control_plane.postgres.queries import sql
from control_plane.postgres.rows import attributed, scope
from control_plane.postgres.sealing.seals import Seals, open_candidate
from shared.domain.codec import Json, decode, encode

_STORE = sql("store_rollout")
_GET = sql("get_rollout")
_LIST = sql("list_rollouts")
_UNFINISHED = sql("unfinished_rollouts")
_EVENTS = sql("rollout_events")
_RECORD = sql("record_measurements")
_KIND = "rollout"
_NEWEST = "9999-12-31T00:00:00+00:00"
_LAST = "ffffffff-ffff-ffff-ffff-ffffffffffff"
_MOVED = "Something else happened to this rollout since it was read."


class PostgresRollouts:
    """Rollouts. Those that expose anything move with a change: see `trimtab_move_rollout`."""

    def __init__(self, pool: asyncpg.Pool, seals: Seals) -> None:
        self._pool, self._seals = pool, seals

    async def store(self, transition: Transition, by: Attribution) -> None:
        """Store what happens to a rollout without any change."""
        document = encode(transition_document(await self._seals.rollout(transition))).decode()
        rows = await fetch(self._pool, _STORE, document, attributed(by))
        if not rows[0][0]:
            raise StaleRolloutError(_MOVED, id=str(transition.id))

    async def get(self, rollout_id: UUID) -> StoredRollout:
        """One rollout."""
        row = await fetch_row(self._pool, _GET, rollout_id)
        if row is None:
            raise NotFoundError(_KIND, str(rollout_id))
        return (await self._opened([row]))[0]

    async def list(self, where: RolloutFilter, *, limit: int, cursor: str | None) -> Page[StoredRollout]:
        """Rollouts, newest first."""
        created_at, rollout_id = read_cursor(cursor, [_NEWEST, _LAST])
        own = where.scope
        rows = await fetch(
            self._pool,
            _LIST,
            created_at,
            rollout_id,
            limit + 1,
            where.app_id,
            None if own is None else own.app_id or "",
            None if own is None else own.environment or "",
            where.key,
            list(where.phases) or None,
            where.strategy,
        )
        return page(rows, limit, _rollout, "created_at", "id")

    async def unfinished(self, limit: int, known: Mapping[UUID, int] | None = None) -> Sequence[StoredRollout | UUID]:
        """Those that are neither completed nor aborted, oldest first; of a `known` version, only their ids."""
        versions = known or {}
        rows = await fetch(self._pool, _UNFINISHED, limit, list(versions), list(versions.values()))
        changed = {each.id: each for each in await self._opened([row for row in rows if row["document"] is not None])}
        return [changed.get(each, each) for each in (UUID(int=row["id"].int) for row in rows)]

    async def events(self, rollout_id: UUID, *, limit: int, cursor: str | None) -> Page[RolloutEvent]:
        """What happened to a rollout, newest first."""
        (before,) = read_cursor(cursor, [BEFORE_ALL])
        rows = await fetch(self._pool, _EVENTS, rollout_id, before, limit + 1)
        return page(rows, limit, _event, "seq")

    async def measured(self, rollout: StoredRollout, measurements: Sequence[Mapping[str, Json]], keep: int) -> None:
        """Add measurements of gates to its history, of which the newest `keep` stay."""
        step = int(rollout.document.get("step", 0))
        details = encode([dict(each) for each in measurements]).decode()
        await fetch(self._pool, _RECORD, rollout.id, rollout.phase, step, details, keep)

    async def _opened(self, rows: Sequence[asyncpg.Record]) -> Sequence[StoredRollout]:
        found = [_rollout(row) for row in rows]
        opening = await self._seals.opening_of(each.document for each in found)
        return [replace(each, document=open_candidate(opening, each.id, each.document)) for each in found]


def _rollout(row: asyncpg.Record) -> StoredRollout:
    return StoredRollout(
        id=UUID(int=row["id"].int),
        scope=scope(row["app_id"], row["environment"]),
        key=row["key"],
        strategy=row["strategy"],
        phase=row["phase"],
        version=row["version"],
        revision=row["revision"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        finished_at=row["finished_at"],
        document=decode(row["document"]),
    )


def _event(row: asyncpg.Record) -> RolloutEvent:
    return RolloutEvent(**dict(row) | {"detail": decode(row["detail"])})

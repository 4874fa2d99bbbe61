"""Looking back (port `History`). Entries come with their sensitive values: they stay inside the services."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from control_plane.domain.errors import NotFoundError
from control_plane.domain.history import PastEntry
from control_plane.ports.history import Moment
from control_plane.postgres.pool import fetch, fetch_row
from control_plane.postgres.queries import sql
from control_plane.postgres.reads import Reads
from control_plane.postgres.rows import past_entry
from control_plane.postgres.sealing.seals import Seals
from shared.domain.scope import Scope

_KEYS = sql("history_keys")
_ENTRIES = sql("history_entries")
_ENTRIES_OF = sql("history_entries_of")
_VERSION = sql("history_version")
_MOMENT = sql("history_moment")
_LAST_VERSION = 2**63 - 1


class PostgresHistory:
    """Reads what stood where. What it reads of the past never changes, so it may come from a replica."""

    def __init__(self, pool: asyncpg.Pool, seals: Seals, reads: Reads | None = None) -> None:
        self._pool, self._seals, self._reads = pool, seals, reads or Reads(pool)

    async def moment(self, at: datetime | None = None) -> Moment:
        """What the installation is at, and was at a moment."""
        (row,) = await fetch(self._pool, _MOMENT, at)
        return Moment(row["revision"], row["then_"], row["ahead"])

    async def keys(self, scopes: Collection[Scope], *, prefix: str, after: str, limit: int) -> list[str]:
        """Keys that ever stood in one of the scopes, in their order."""
        rows = await self._reads.fetch(_KEYS, *_columns(scopes), after, prefix, limit)
        return [row["key"] for row in rows]

    async def entries(self, scopes: Collection[Scope], keys: Sequence[str], revision: int) -> list[PastEntry]:
        """What stood in the scopes under these keys at a revision, deleted entries too."""
        return await self._opened(await self._reads.fetch(_ENTRIES, *_columns(scopes), list(keys), revision))

    async def entries_of(self, configs: Collection[UUID], revision: int) -> dict[UUID, PastEntry]:
        """These configs as they stood at a revision; one that had no version then is left out."""
        rows = await self._reads.fetch(_ENTRIES_OF, list(configs), revision)
        return {each.config_id: each for each in await self._opened(rows)}

    async def version(self, config_id: UUID, version: int) -> PastEntry:
        """One version of a config."""
        row = await fetch_row(self._pool, _VERSION, config_id, min(version, _LAST_VERSION))
        if row is None:
            kind = "version"
            raise NotFoundError(kind, f"{config_id}/{version}")
        [found] = await self._opened([row])
        return found

    async def _opened(self, rows: Sequence[asyncpg.Record]) -> list[PastEntry]:
        opening = await self._seals.opening(rows)
        return [past_entry(row, opening) for row in rows]


def _columns(scopes: Collection[Scope]) -> tuple[list[str], list[str]]:
    return [each.app_id or "" for each in scopes], [each.environment or "" for each in scopes]

"""Revisions with names (port `NamedSnapshots`)."""

from datetime import datetime

import asyncpg

from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import ConflictError, NotFoundError
from control_plane.domain.named_snapshot import NamedSnapshot
from control_plane.ports.pages import Page
from control_plane.postgres.cursors import page, read_cursor
from control_plane.postgres.pool import fetch, fetch_row
from control_plane.postgres.queries import sql
from control_plane.postgres.rows import attributed

_CREATE = sql("name_snapshot")
_DELETE = sql("forget_snapshot")
_LIST = sql("list_named_snapshots")
_KIND = "named snapshot"


class PostgresNamedSnapshots:
    """Names revisions; each act is audited in the same transaction."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def create(
        self, name: str, revision: int | None, at: datetime | None, description: str, by: Attribution
    ) -> NamedSnapshot:
        """Name a revision, the last one at an instant, or the latest."""
        [done] = await fetch(self._pool, _CREATE, name, revision, at, description, attributed(by))
        if not done["known"]:
            kind = "change"
            raise NotFoundError(kind, str(done["pinned"]))
        if done["taken"]:
            msg = f"The name {name!r} is taken by another snapshot."
            raise ConflictError(msg, name=name)
        return await self.get(name)

    async def get(self, name: str) -> NamedSnapshot:
        """One by its name."""
        row = await fetch_row(self._pool, _LIST, "", 1, name)
        if row is None:
            raise NotFoundError(_KIND, name)
        return _named(row)

    async def list(self, *, limit: int, cursor: str | None) -> Page[NamedSnapshot]:
        """By name."""
        (after,) = read_cursor(cursor, [""])
        return page(await fetch(self._pool, _LIST, after, limit + 1, None), limit, _named, "name")

    async def delete(self, name: str, by: Attribution) -> None:
        """Forget a name. The revision stays."""
        [done] = await fetch(self._pool, _DELETE, name, attributed(by))
        if not done["forgotten"]:
            raise NotFoundError(_KIND, name)


def _named(row: asyncpg.Record) -> NamedSnapshot:
    return NamedSnapshot(**dict(row))

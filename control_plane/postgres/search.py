"""Finds configs by what is in them (port `Searching`). Reads on until the page is full or enough was read for one turn."""

import asyncpg

from control_plane.domain.search import Found, Search, SearchField
from control_plane.ports.pages import Page
from control_plane.postgres.cursors import read_cursor, write_cursor
from control_plane.postgres.queries import sql
from control_plane.postgres.reads import Reads
from control_plane.postgres.rows import scope
from shared.domain.codec import decode
from shared.domain.entry import Kind

ENTRIES_A_TURN = 50_000
"""Entries that are read for one page at most: about 0.15 s."""

_SEARCH = sql("search")


class PostgresSearch:
    """Looks into the entries themselves: nothing else has to be kept up to date."""

    def __init__(self, reads: Reads, entries_a_turn: int = ENTRIES_A_TURN) -> None:
        self._reads, self._entries = reads, entries_a_turn

    async def search(self, search: Search, *, limit: int, cursor: str | None) -> Page[Found]:
        """Configs in the order of application, environment and key."""
        rows = await self._reads.fetch(
            _SEARCH,
            *read_cursor(cursor, ["", "", ""]),
            list(search.words),
            limit + 1,
            self._entries,
            [str(each) for each in search.fields],
            search.app_id,
            search.environment,
            search.kind,
            search.include_archived,
        )
        found = [each for each in rows if each["id"] is not None]
        following = rows[0]["ends_at"]
        if len(found) > limit:
            last = found[limit - 1]
            following = (last["app_id"], last["environment"], last["key"])
        return Page(tuple(map(_found, found[:limit])), write_cursor(*following) if following else None)


def _found(row: asyncpg.Record) -> Found:
    return Found(
        id=row["id"],
        scope=scope(row["app_id"], row["environment"]),
        key=row["key"],
        kind=Kind(row["kind"]),
        sensitive=row["sensitive"],
        owner=row["owner"],
        version=row["version"],
        revision=row["revision"],
        updated_at=row["updated_at"],
        updated_by=row["updated_by"],
        matches={SearchField(field): around for field, around in decode(row["matches"]).items()},
    )

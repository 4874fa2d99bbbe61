"""The one write path, and the record of it (port `Changes`)."""

from collections.abc import Mapping
from dataclasses import replace

import asyncpg

from control_plane.domain.change import ChangeRecord, Committed, Draft
from control_plane.domain.errors import NotFoundError, UnavailableError
from control_plane.ports.changes import Heads
from control_plane.ports.pages import Page
from control_plane.postgres.cursors import BEFORE_ALL, page, read_cursor
from control_plane.postgres.drafts import WrittenDraft, committed, places_to_seal, waves, write_draft
from control_plane.postgres.errors import DEPENDENCY, OUTCOME_UNKNOWN, RETRY_AFTER_S
from control_plane.postgres.flights import Flights
from control_plane.postgres.pool import fetch, fetch_row
from control_plane.postgres.queries import sql
from control_plane.postgres.reads import Reads
from control_plane.postgres.rows import change_record, message, scope
from control_plane.postgres.sealing.seals import Seals
from shared.domain.codec import encode
from shared.wire.messages import ChangeMessage, ScopeState

_REHEARSE = sql("rehearse")
_BREAK_GLASS = sql("break_glass")
_HEADS = sql("heads")
_REVISION = sql("revision")
_MESSAGES_AFTER = sql("messages_after")
_LIST = sql("list_changes")
_LIST_OF_APP = sql("list_changes_of_app")
_FIND = sql("find_changes")
_GET = sql("get_change")
_KIND = "change"
_ATTEMPTS = 10
"""How often a draft's secrets are sealed anew because somebody else came first."""


class PostgresChanges:
    """Commits drafts and reads back what was committed."""

    def __init__(self, pool: asyncpg.Pool, seals: Seals, reads: Reads | None = None) -> None:
        self._pool, self._seals, self._reads = pool, seals, reads or Reads(pool)
        self._flights = Flights(pool)

    async def commit(self, draft: Draft) -> Committed:
        """Commit all operations of the draft as one change, or nothing: one round trip, shared with who waits too.

        With secrets in it, it takes two: they are sealed for the versions that they become, and those are known only then.
        """
        draft = await self._seals.known_again(draft)
        if draft.transition is not None:
            draft = replace(draft, transition=await self._seals.rollout(draft.transition))
        sealing = await self._seals.covered(draft.operations)
        for _ in range(_ATTEMPTS):
            outcome = await self._outcome(draft, write_draft(draft, sealing))
            if not (places := places_to_seal(outcome)):
                return committed(draft, outcome)
            sealing = await self._seals.for_versions(draft.operations, places)
        detail = "others write to the same configs all the time"
        raise UnavailableError(DEPENDENCY, detail, RETRY_AFTER_S)

    async def _outcome(self, draft: Draft, written: WrittenDraft) -> str:
        if draft.dry_run:
            rows = await fetch(self._pool, _REHEARSE, waves([written]).decode())
            return str(rows[0][0][0])
        if (breaking := draft.break_glass) is not None:
            wave = waves([written]).decode()
            rows = await fetch(
                self._pool, _BREAK_GLASS, wave, breaking.reason, breaking.policies, in_flight=OUTCOME_UNKNOWN
            )
            return str(rows[0][0][0])
        return await self._flights.commit(written)

    async def heads(self) -> Heads:
        """What everything is at now."""
        rows = await fetch(self._pool, _HEADS)
        scopes = {
            scope(row["app_id"], row["environment"]): ScopeState(row["revision"], row["digest"])
            for row in rows
            if row["revision"] is not None
        }
        return Heads(rows[0]["installation_revision"], scopes)

    async def revision(self) -> int:
        """The installation's committed revision."""
        rows = await fetch(self._pool, _REVISION)
        return int(rows[0][0])

    async def messages_after(self, revision: int, limit: int) -> list[ChangeMessage]:
        """The messages of the committed changes after `revision`, in revision order, of at most `limit` changes."""
        return [message(row) for row in await fetch(self._pool, _MESSAGES_AFTER, revision, limit)]

    async def list_changes(
        self,
        *,
        app_id: str | None,
        limit: int,
        cursor: str | None,
        author: str | None = None,
        labels: Mapping[str, str | None] | None = None,
    ) -> Page[ChangeRecord]:
        """Committed changes, newest first; what is given narrows."""
        (before,) = read_cursor(cursor, [BEFORE_ALL])
        if author is not None or labels:
            wanted = labels or {}
            exact = encode({name: value for name, value in wanted.items() if value is not None}).decode()
            rows = await self._reads.fetch(_FIND, before, limit + 1, author, exact, list(wanted), app_id)
        elif app_id is None:
            rows = await self._reads.fetch(_LIST, before, limit + 1)
        else:
            rows = await self._reads.fetch(_LIST_OF_APP, before, limit + 1, app_id)
        return page(rows, limit, change_record, "revision")

    async def get_change(self, revision: int) -> ChangeRecord:
        """One committed change."""
        row = await fetch_row(self._pool, _GET, revision) if revision <= BEFORE_ALL else None
        if row is None:
            raise NotFoundError(_KIND, str(revision))
        return change_record(row)

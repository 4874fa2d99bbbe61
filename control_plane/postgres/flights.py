"""Drafts that wait at the same time are committed together: between `PostgresChanges` and the one statement.

One flight is in the air at a time. Who comes while there is none leads one at once; who comes meanwhile waits, and the
first of those leads the next one with all that wait by then. So nobody waits for company, and under load the round
trip, the lock and the flush to disk are shared.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio
import asyncpg

from control_plane.domain.errors import TrimtabError, UnavailableError
from control_plane.postgres.drafts import WrittenDraft, waves
from control_plane.postgres.errors import DEPENDENCY, OUTCOME_UNKNOWN, RETRY_AFTER_S
from control_plane.postgres.pool import fetch
from control_plane.postgres.queries import sql

MAX_DRAFTS = 64
MAX_BYTES = 256 * 1024
"""Of the drafts of one flight, unless a single one is larger."""

_COMMIT = sql("commit")
_COMMIT_ONE = sql("commit_one")


@dataclass(eq=False, slots=True)
class _Passenger:
    """A draft on its way. `called` is set when it has landed, or is to lead the next flight."""

    draft: WrittenDraft
    called: anyio.Event = field(default_factory=anyio.Event)
    outcome: str | None = None
    error: Exception | None = None

    @property
    def landed(self) -> bool:
        """Whether its fate is known."""
        return self.outcome is not None or self.error is not None


class Flights:
    """Commits drafts in the order in which they come; what one of them meets with is nothing to the others."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._queue: deque[_Passenger] = deque()
        self._led = False

    async def commit(self, draft: WrittenDraft) -> str:
        """The draft's outcome as `trimtab_commit` returned it.

        Who is cancelled before the take-off was never there. Afterwards the flight goes on, for the others' sake.
        """
        passenger = _Passenger(draft)
        self._queue.append(passenger)
        if self._led:
            await self._wait(passenger)
        if not passenger.landed:
            self._led = True
            with anyio.CancelScope(shield=True):
                await self._fly(self._board())
        if passenger.error is not None:
            raise passenger.error
        return passenger.outcome or ""

    async def _wait(self, passenger: _Passenger) -> None:
        try:
            await passenger.called.wait()
        except anyio.get_cancelled_exc_class():
            if passenger in self._queue:
                self._queue.remove(passenger)
                if passenger.called.is_set():
                    self._hand_over()
            raise

    def _board(self) -> list[_Passenger]:
        """Those who fly next, in their order; always at least one."""
        aboard = [self._queue.popleft()]
        size = len(aboard[0].draft.document)
        while self._queue and len(aboard) < MAX_DRAFTS:
            size += len(self._queue[0].draft.document)
            if size > MAX_BYTES:
                break
            aboard.append(self._queue.popleft())
        return aboard

    async def _fly(self, aboard: Sequence[_Passenger]) -> None:
        """Carry them over, and let the next ones start before these look at what they got."""
        try:
            await self._send(aboard)
        finally:
            self._hand_over()
            for each in aboard:
                if not each.landed:  # this task was ended by force
                    each.error = UnavailableError(DEPENDENCY, OUTCOME_UNKNOWN, RETRY_AFTER_S)
                each.called.set()

    async def _send(self, aboard: Sequence[_Passenger]) -> None:
        statement, argument = _COMMIT, waves([each.draft for each in aboard])
        if len(aboard) == 1 and aboard[0].draft.operations == 1:
            statement, argument = _COMMIT_ONE, aboard[0].draft.document
        try:
            rows = await fetch(self._pool, statement, argument.decode(), in_flight=OUTCOME_UNKNOWN)
        except UnavailableError as error:
            for each in aboard:
                each.error = UnavailableError(error.dependency, error.detail, error.retry_after)
                each.error.__cause__ = error
        except (TrimtabError, asyncpg.PostgresError) as error:
            if len(aboard) == 1:
                aboard[0].error = error
                return
            for each in aboard:  # one of them cannot be stored, and so none was: each tries alone
                await self._send([each])
        else:
            for each, outcome in zip(aboard, rows[0][0], strict=True):
                each.outcome = outcome

    def _hand_over(self) -> None:
        self._led = bool(self._queue)
        if self._queue:
            self._queue[0].called.set()

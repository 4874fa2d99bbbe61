"""Sessions, tickets and guesses within one process: what Redis is for several replicas."""

from collections import OrderedDict
from collections.abc import Sequence
from uuid import UUID

from control_plane.domain.people.lockout import Guesses, Lockout, attempt
from control_plane.domain.people.session import Session
from shared.domain.codec import Json
from shared.runtime.clock import Clock, SystemClock

MAX_SESSIONS = 20_000
MAX_TICKETS = 10_000
MAX_NAMES = 50_000
"""Whoever was here longest ago is forgotten first."""


class MemorySessions:
    """Sessions until the process ends: then everybody is logged out."""

    def __init__(self, clock: Clock | None = None, max_sessions: int = MAX_SESSIONS) -> None:
        self._clock, self._max = clock or SystemClock(), max_sessions
        self._kept: OrderedDict[str, tuple[Session, float]] = OrderedDict()

    async def put(self, hashed: str, session: Session, ttl: float) -> None:
        self._kept[hashed] = (session, self._clock.monotonic() + ttl)
        self._kept.move_to_end(hashed)
        if len(self._kept) > self._max:
            self._kept.popitem(last=False)

    async def get(self, hashed: str) -> Session | None:
        kept = self._kept.get(hashed)
        if kept is None:
            return None
        if kept[1] <= self._clock.monotonic():
            del self._kept[hashed]
            return None
        return kept[0]

    async def touch(self, hashed: str, session: Session, ttl: float) -> None:
        if await self.get(hashed) is not None:
            await self.put(hashed, session, ttl)

    async def drop(self, user_id: UUID, hashed: str) -> None:
        kept = self._kept.get(hashed)
        if kept is not None and kept[0].user_id == user_id:
            del self._kept[hashed]

    async def of(self, user_id: UUID) -> Sequence[tuple[str, Session]]:
        now = self._clock.monotonic()
        return [
            (hashed, session)
            for hashed, (session, end) in self._kept.items()
            if session.user_id == user_id and end > now
        ]


class MemoryTickets:
    """Documents for a few minutes, each for one taker."""

    def __init__(self, clock: Clock | None = None, max_tickets: int = MAX_TICKETS) -> None:
        self._clock, self._max = clock or SystemClock(), max_tickets
        self._kept: OrderedDict[str, tuple[Json, float]] = OrderedDict()

    async def put(self, name: str, document: Json, ttl: float) -> None:
        self._kept[name] = (document, self._clock.monotonic() + ttl)
        if len(self._kept) > self._max:
            self._kept.popitem(last=False)

    async def take(self, name: str) -> Json | None:
        document, end = self._kept.pop(name, (None, 0.0))
        return document if end > self._clock.monotonic() else None


class MemoryGuesses:
    """Failures by name."""

    def __init__(self, clock: Clock | None = None, max_names: int = MAX_NAMES) -> None:
        self._clock, self._max = clock or SystemClock(), max_names
        self._kept: OrderedDict[str, Guesses] = OrderedDict()

    async def attempt(self, name: str, rule: Lockout) -> float:
        wait, self._kept[name] = attempt(self._kept.get(name, Guesses()), self._clock.monotonic(), rule)
        self._kept.move_to_end(name)
        if len(self._kept) > self._max:
            self._kept.popitem(last=False)
        return wait

    async def forget(self, name: str) -> None:
        self._kept.pop(name, None)

    async def forgive(self, name: str) -> None:
        before = self._kept.get(name)
        if before is not None and before.failures:
            self._kept[name] = Guesses(before.failures - 1, before.last)

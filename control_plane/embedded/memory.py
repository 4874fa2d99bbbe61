"""Cache, notices, presence and counters within one process: what Redis is for several replicas."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

from control_plane.ports.lossy import AgentPresence, Counted, KeyReads
from shared.runtime.bell import Bell
from shared.runtime.clock import Clock, SystemClock

_MAX_BYTES = 32 * 1024 * 1024
"""What a memory cache keeps at most; the oldest goes first."""


class MemoryCache:
    """Bytes with an expiry, bounded."""

    def __init__(self, clock: Clock | None = None, max_bytes: int = _MAX_BYTES) -> None:
        self._clock = clock or SystemClock()
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, tuple[bytes, float]] = OrderedDict()

    async def get(self, key: str) -> bytes | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        value, expires = kept
        if expires <= self._clock.monotonic():
            self._drop(key)
            return None
        return value

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        if key in self._kept:
            self._drop(key)
        self._kept[key] = (value, self._clock.monotonic() + ttl)
        self._bytes += len(value)
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: str) -> None:
        self._bytes -= len(self._kept.pop(key)[0])


class MemoryNotices:
    """Bells that all hang on one rope."""

    def __init__(self) -> None:
        self._bells: set[Bell] = set()

    async def ring(self, revision: int) -> None:
        for bell in self._bells:
            bell.ring(revision)

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[AsyncIterator[int]]:
        """Hear every ring from now on."""
        bell = Bell()
        self._bells.add(bell)
        try:
            yield bell
        finally:
            self._bells.discard(bell)


class MemoryPresence:
    """The latest report of each agent until it expires."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._agents: dict[tuple[str, str, str], tuple[AgentPresence, float]] = {}

    async def record(self, presence: AgentPresence, ttl: float) -> None:
        report = presence.report
        key = (report.app_id, report.environment, report.instance)
        self._agents[key] = (presence, self._clock.monotonic() + ttl)

    async def list(self, app_id: str | None = None, environment: str | None = None) -> list[AgentPresence]:
        now = self._clock.monotonic()
        self._agents = {key: kept for key, kept in self._agents.items() if kept[1] > now}
        return [
            presence
            for (app, env, _), (presence, _) in sorted(self._agents.items(), key=lambda item: item[0])
            if app_id in (None, app) and environment in (None, env)
        ]


class MemoryReadCounters:
    """What was counted of each app/environment since the process began."""

    def __init__(self) -> None:
        self._counted: dict[tuple[str, str], Counted] = {}

    async def add(self, app_id: str, environment: str, keys: Mapping[str, int], bulk: int, at: datetime) -> None:
        before = await self.of(app_id, environment)
        at = at.replace(microsecond=0)
        counts = {key: reads + before.keys[key].reads if key in before.keys else reads for key, reads in keys.items()}
        self._counted[app_id, environment] = Counted(
            since=before.since or at,
            keys={**before.keys, **{key: KeyReads(count, at) for key, count in counts.items()}},
            bulk=before.bulk + bulk,
            last_bulk_at=at if bulk else before.last_bulk_at,
        )

    async def of(self, app_id: str, environment: str) -> Counted:
        return self._counted.get((app_id, environment), Counted(None, {}, 0, None))

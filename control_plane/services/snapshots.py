"""What an app/environment sees, for agents as bytes and for operators as entries.

Three layers: this replica's memory, the cache that replicas share, the database. The feed says what a snapshot must be
at, so nothing ever needs to be invalidated: what does not cover that is not used, unless the database is away.
"""

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from weakref import WeakValueDictionary

import anyio
from anyio.to_thread import run_sync

from control_plane.domain.errors import KeyLostError, NotFoundError, UnavailableError
from control_plane.metrics import Metrics
from control_plane.ports.configs import Configs
from control_plane.ports.lossy import Cache
from control_plane.services.compiled import OFF_LOOP, Compiled
from control_plane.services.feed import Feed
from control_plane.services.keys.signatures import Signatures
from control_plane.services.lru import Lru
from control_plane.services.shelf import Shelf
from shared.domain.context import EvaluationContext
from shared.domain.entry import digest_text
from shared.domain.program import Program
from shared.domain.resolution import Effective, Resolution
from shared.domain.scope import Revisions
from shared.runtime.clock import Clock, unix_ms
from shared.wire.snapshot import SnapshotDocument

_log = logging.getLogger(__name__)

STALE_AFTER = 5.0
"""Seconds without a look at the database after which an answer says that it may be behind."""

_AWAY = 0.5
"""Seconds for which a database that failed is not asked again unless the feed reached it: who waits, fails together."""

_PROGRAM_BYTES = 600
"""Bytes of memory that a compiled config takes, about."""

_WARMING = 4
"""Snapshots compiled at once before this replica serves."""


@dataclass(frozen=True, slots=True)
class ServedSnapshot:
    """An answer for an agent; `gzip`: the body is compressed; `sensitive`: there are secrets in it."""

    body: bytes
    gzip: bool
    etag: str
    stale: bool
    sensitive: bool
    signature: str = ""


@dataclass(frozen=True, slots=True)
class EffectiveView:
    """What an app/environment sees, for people. Sensitive values are left out (empty)."""

    revision: int
    revisions: Revisions
    configs: dict[str, Effective]
    stale: bool


@dataclass(frozen=True, slots=True)
class ResolvedView:
    """What an app/environment's configs yield for one who asks. Sensitive values are left out (empty)."""

    revision: int
    configs: dict[str, Resolution]
    stale: bool


@dataclass(frozen=True, slots=True)
class _Key:
    """What is kept: the whole snapshot of an app/environment, or the delta since some revisions."""

    app_id: str
    environment: str
    since: Revisions | None = None

    @property
    def place(self) -> str:
        """What its signature is for."""
        return f"{self.app_id}/{self.environment}"


class Snapshots:
    """Compiles each snapshot once per change, however many ask for it."""

    def __init__(
        self,
        configs: Configs,
        feed: Feed,
        cache: Cache,
        metrics: Metrics,
        clock: Clock,
        *,
        max_bytes: int = 64 * 1024 * 1024,
        ttl: float = 600.0,
        signatures: Signatures | None = None,
    ) -> None:
        self._signatures, self._shelf = signatures, Shelf(signatures, metrics)
        self._configs, self._feed, self._cache = configs, feed, cache
        self._metrics, self._clock, self._ttl = metrics, clock, ttl
        self._compiled: Lru[Compiled] = Lru(max_bytes)
        self._stale: Lru[Compiled] = Lru(max_bytes // 8)
        self._views: Lru[tuple[Revisions, dict[str, Effective]]] = Lru(max_bytes // 4)
        self._programs: Lru[tuple[Mapping[str, Effective], Program]] = Lru(max_bytes // 4)
        self._locks: WeakValueDictionary[_Key, anyio.Lock] = WeakValueDictionary()
        self._registered: set[tuple[str, str]] = set()
        self._failed_at = float("-inf")

    async def fetch(
        self, app_id: str, environment: str, since: Revisions | None, at_least: int = 0, *, gzip: bool = False
    ) -> ServedSnapshot:
        """The whole snapshot, or the delta since some revisions, at `at_least` or later.

        Raises:
            NotFoundError: the application or the environment is not registered.
            UnavailableError: the database is away and nothing that was compiled before will do.
        """
        level = await self._is_level(max(at_least, *(since or (0,))))
        compiled, last_known = await self._get(_Key(app_id, environment, since))
        stale = last_known or not level
        if stale:
            compiled = await self._marked(_Key(app_id, environment, since), compiled)
        else:
            compiled = self._signed(_Key(app_id, environment, since), compiled)
        signature = str(compiled.signature or "")
        if gzip and compiled.gzipped is not None:
            return ServedSnapshot(compiled.gzipped, True, compiled.etag, stale, compiled.sensitive, signature)
        return ServedSnapshot(compiled.body, False, compiled.etag, stale, compiled.sensitive, signature)

    def _signed(self, key: _Key, compiled: Compiled) -> Compiled:
        """Signed by the key that signs now, and kept so."""
        if self._signatures is None:
            return compiled
        signed = compiled.signed(self._signatures, key.place)
        if signed is not compiled and self._compiled.get(key) is compiled:
            self._compiled.put(key, signed, signed.size)
        return signed

    def is_at_hand(self, app_id: str, environment: str, since: Revisions | None) -> bool:
        """Whether nothing large has to be compiled first: deltas are small."""
        return since is not None or self._remembered(_Key(app_id, environment)) is not None

    async def effective(self, app_id: str, environment: str, keys: Collection[str] | None = None) -> EffectiveView:
        """What a reader of an app/environment sees, of some keys or all; your own writes on any replica included.

        Raises:
            NotFoundError: the application or the environment is not registered.
            UnavailableError: the database is away and nothing that was compiled before will do.
        """
        level = await self._compare()
        key = _Key(app_id, environment)
        compiled, last_known = await self._get(key)
        view = self._views.get(key)
        if view is None or view[0] != compiled.revisions:
            view = (compiled.revisions, await compiled.effective())
            self._views.put(key, view, compiled.size)
        configs = view[1] if keys is None else {each: view[1][each] for each in sorted(keys) if each in view[1]}
        return EffectiveView(compiled.revisions.latest, compiled.revisions, configs, last_known or not level)

    async def resolved(
        self, app_id: str, environment: str, keys: Collection[str] | None, context: EvaluationContext
    ) -> ResolvedView:
        """What some keys or all of them yield now for one who asks; segments and what is hidden yield nothing.

        Raises:
            NotFoundError: the application or the environment is not registered.
            UnavailableError: the database is away and nothing that was compiled before will do.
        """
        view = await self.effective(app_id, environment)
        program = await self._program(_Key(app_id, environment), view.configs)
        names = sorted(view.configs if keys is None else keys)
        return ResolvedView(view.revision, program.resolutions(names, context, unix_ms(self._clock.now())), view.stale)

    async def _program(self, key: _Key, configs: Mapping[str, Effective]) -> Program:
        """The compiled form of a view, made once for each."""
        kept = self._programs.get(key)
        if kept is None or kept[0] is not configs:
            size = _PROGRAM_BYTES * len(configs)
            kept = (configs, Program.of(configs) if size < OFF_LOOP else await run_sync(Program.of, configs))
            self._programs.put(key, kept, size)
        return kept[1]

    async def warm(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Compile some snapshots before anybody asks; what cannot be had now is left for later."""
        limiter = anyio.CapacityLimiter(_WARMING)

        async def compile_one(app_id: str, environment: str) -> None:
            async with limiter:
                try:
                    await self._get(_Key(app_id, environment))
                except (KeyLostError, UnavailableError, NotFoundError) as error:
                    _log.warning("not warmed", extra={"app": app_id, "environment": environment, "error": str(error)})

        async with anyio.create_task_group() as group:
            for pair in pairs:
                group.start_soon(compile_one, *pair)

    async def _is_level(self, at_least: int) -> bool:
        """Whether we know of `at_least`, and looked at the database lately."""
        if at_least > self._feed.revision:
            return await self._compare(at_least)
        return self._clock.monotonic() - self._feed.checked_at <= STALE_AFTER

    async def _compare(self, at_least: int = 0) -> bool:
        try:
            await self._feed.catch_up(at_least)
        except UnavailableError:
            return False
        return True

    async def _get(self, key: _Key) -> tuple[Compiled, bool]:
        """The compiled document, and whether it is only the last one known because the database is away."""
        if key.since is not None and (unchanged := await self._unchanged(key)) is not None:
            return unchanged, False
        try:
            return await self._current(key), False
        except UnavailableError:
            last = self._compiled.get(_Key(key.app_id, key.environment))
            if last is None or not last.revisions.covers(key.since or Revisions()):
                raise
            return last, True

    async def _unchanged(self, key: _Key) -> Compiled | None:
        """The empty delta for a reader that has everything, without asking anybody."""
        now = self._feed.revisions(key.app_id, key.environment)
        if key.since != now or (key.app_id, key.environment) not in self._registered:
            return None
        digests = self._feed.digests(key.app_id, key.environment)
        return await Compiled.of(SnapshotDocument(key.app_id, key.environment, now, digests, full=False, items=()))

    async def _current(self, key: _Key) -> Compiled:
        if (hit := self._remembered(key)) is not None:
            self._metrics.cache_hits.labels("replica").inc()
            return hit
        self._metrics.cache_misses.labels("replica").inc()
        lock = self._locks.setdefault(key, anyio.Lock())
        async with lock:
            if (hit := self._remembered(key)) is not None:
                return hit
            compiled = (key.since is None and await self._shared(key)) or await self._read(key)
            self._compiled.put(key, compiled, compiled.size)
            self._registered.add((key.app_id, key.environment))
            return compiled

    def _remembered(self, key: _Key) -> Compiled | None:
        compiled = self._compiled.get(key)
        needed = self._feed.revisions(key.app_id, key.environment)
        return compiled if compiled is not None and compiled.revisions.covers(needed) else None

    async def _shared(self, key: _Key) -> Compiled | None:
        revisions = self._feed.revisions(key.app_id, key.environment)
        digests = self._feed.digests(key.app_id, key.environment)
        name = _cache_key(key, revisions, digests)
        packed = self._shelf.opened(name, await self._cache.get(name))
        compiled = packed and await Compiled.unpack(packed, revisions, digests)
        (self._metrics.cache_hits if compiled else self._metrics.cache_misses).labels("shared").inc()
        return compiled or None

    async def _read(self, key: _Key) -> Compiled:
        if self._failed_at > self._clock.monotonic() - _AWAY and self._failed_at >= self._feed.checked_at:
            dependency = "postgresql"
            raise UnavailableError(dependency, "did not answer a moment ago")
        try:
            document = await self._configs.snapshot(key.app_id, key.environment, key.since)
        except UnavailableError:
            self._failed_at = self._clock.monotonic()
            raise
        compiled = await Compiled.of(document)
        if document.full and not compiled.sensitive:
            name = _cache_key(key, compiled.revisions, compiled.digests)
            await self._cache.set(name, self._shelf.closed(name, compiled.packed), self._ttl)
        return compiled

    async def _marked(self, key: _Key, compiled: Compiled) -> Compiled:
        """The same document, saying that it may be behind; made once while the database is away."""
        marked = self._stale.get(key)
        if marked is None or (marked.revisions, marked.digests) != (compiled.revisions, compiled.digests):
            marked = await compiled.stale()
            self._stale.put(key, marked, marked.size)
        return marked if self._signatures is None else marked.signed(self._signatures, key.place)


def _cache_key(key: _Key, revisions: Revisions, digests: tuple[int, int, int]) -> str:
    """Where replicas share a whole snapshot: the name says what it holds, so what is there is never out of date."""
    at = ".".join(map(str, revisions))
    digest = ".".join(map(digest_text, digests))
    return f"trimtab:snapshot:2:{key.app_id}:{key.environment}:{at}:{digest}"

"""What this replica knows of the committed changes, and who hears of them: between the database and its SSE readers.

The database is the only truth. A replica's own commits are offered to it directly, so nobody waits for a round trip;
what other replicas commit is read when a bell rings, and once a second whether one rang or not.
"""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from operator import attrgetter

import anyio

from control_plane.domain.errors import UnavailableError
from control_plane.metrics import Metrics
from control_plane.ports.changes import Changes
from control_plane.services.readers import Deliver, Readers, Sign
from control_plane.services.recent import Recent
from shared.domain.scope import Lineage, Revisions, Scope
from shared.runtime.clock import Clock
from shared.wire.messages import ChangeMessage, Heartbeat, ScopeState
from shared.wire.topology import routing_key

_log = logging.getLogger(__name__)

BATCH = 64
"""Changes read at once while catching up: one may be as large as a request's body."""

FAR_BEHIND = 5_000
"""Further behind than this, the state is read anew and readers resync: cheaper than sending all of it."""

EARLY = 256
"""Own commits kept while one before them is still on its way."""

_UNTOUCHED = ScopeState()


class Feed:
    """The state of every scope at one revision, and the readers of each scope.

    `revision` grows without gaps; readers of a scope get each of its changes once, in order. `checked_at` is the
    monotonic time at which it was last known to be level with the database.
    """

    def __init__(self, changes: Changes, metrics: Metrics, clock: Clock, sign: Sign | None = None) -> None:
        self._changes, self._metrics, self._clock = changes, metrics, clock
        self.revision = 0
        self.checked_at = float("-inf")
        self._scopes: dict[Scope, ScopeState] = {}
        self._readers = Readers(sign)
        self._recent = Recent()
        self._early: dict[int, Sequence[ChangeMessage]] = {}
        self._heartbeat_interval = 3.0
        self._flight = anyio.Lock()
        self._begun = self._ended = 0
        self._failure: UnavailableError | None = None
        metrics.feed_age.set_function(lambda: clock.monotonic() - self.checked_at)

    def state(self, scope: Scope) -> ScopeState:
        """What a scope is at; zeros where nothing ever touched it."""
        return self._scopes.get(scope, _UNTOUCHED)

    def states(self) -> dict[Scope, ScopeState]:
        """A copy of what every touched scope is at."""
        return dict(self._scopes)

    def revisions(self, app_id: str, environment: str) -> Revisions:
        """The last revision of each scope that an app/environment sees."""
        return Revisions(*(self.state(scope).revision for scope in Lineage.of(app_id, environment)))

    def digests(self, app_id: str, environment: str) -> tuple[int, int, int]:
        """The digest of each scope that an app/environment sees."""
        global_, app, own = (self.state(scope).digest for scope in Lineage.of(app_id, environment))
        return global_, app, own

    def heartbeat(self, lineage: Lineage, interval: float) -> Heartbeat:
        """What an agent of this lineage should be at; the next word comes within `interval` seconds."""
        global_, app, own = (self.state(scope) for scope in lineage)
        return Heartbeat(self.revision, global_, app, own, interval)

    def greeting(self, lineage: Lineage, interval: float) -> bytes:
        """The heartbeat with which a stream begins, as its first event."""
        body = self.heartbeat(lineage, interval).encode()
        return self._readers.frame("heartbeat", body, routing_key(lineage.environment))

    def recent(self, revision: int, limit: int) -> list[ChangeMessage]:
        """The messages of at most `limit` changes right after `revision`, as far as they are still in memory."""
        return self._recent.after(revision, limit)

    async def load(self) -> None:
        """Take the database's state as it is.

        Raises:
            UnavailableError: the database is away.
        """
        began = self._clock.monotonic()
        heads = await self._changes.heads()
        self._take_heads(heads.revision, heads.scopes)
        self.checked_at = began

    def offer(self, messages: Sequence[ChangeMessage]) -> bool:
        """Take in whole committed changes, in order; whether they are part of the state now.

        A change that comes before its predecessor is kept for a while, in case that one is offered next.
        """
        for revision, group in groupby(messages, attrgetter("revision")):
            self._offer_one(revision, list(group))
        return not messages or messages[-1].revision <= self.revision

    async def catch_up(self, at_least: int = 0) -> None:
        """Take in what is committed. Callers share a look at the database, but never one begun before they asked.

        With `at_least`, a revision said to be committed, nothing is asked if it is known already.

        Raises:
            UnavailableError: the database is away; the state stays as it is.
        """
        wanted = self._begun + 1
        async with self._flight:
            if 0 < at_least <= self.revision:
                return
            if self._ended < wanted:
                await self._fly(at_least)
            elif self._failure is not None:
                failure = self._failure
                raise UnavailableError(failure.dependency, failure.detail, failure.retry_after) from failure

    def subscribe(self, lineage: Lineage, deliver: Deliver) -> AbstractContextManager[None]:
        """Deliver the changes and heartbeats of a lineage, as chunks ready for a transport, until the block ends."""
        return self._readers.subscribe(lineage, deliver)

    async def send_heartbeats(self, interval: float) -> None:
        """Send each lineage that has readers its heartbeat, encoded once."""
        self._heartbeat_interval = interval
        await self._readers.send_heartbeats(lambda lineage: self.heartbeat(lineage, interval))

    async def _fly(self, at_least: int) -> None:
        self._begun += 1
        number = self._begun
        try:
            await self._level(at_least)
        except UnavailableError as error:
            self._failure, self._ended = error, number
            raise
        self._failure, self._ended = None, number

    async def _level(self, at_least: int) -> None:
        """Read until the database has no more. A revision heard from others saves asking for the committed one."""
        began, before = self._clock.monotonic(), self.revision
        told = 0 < at_least - before <= FAR_BEHIND
        committed = at_least if told else await self._changes.revision()
        whole = committed - before <= FAR_BEHIND
        if committed > before and whole:
            whole = await self._read_on() and (told or self.revision >= committed)
        if committed < before:
            _log.error("the database went back", extra={"known": before, "committed": committed})
        if committed < before or not whole:
            await self._reload(back=committed < before)
        self.checked_at = began

    async def _read_on(self) -> bool:
        """Take in batch after batch; False if changes are missing between them."""
        while True:
            messages = await self._changes.messages_after(self.revision, BATCH)
            if not self.offer(messages):
                return False
            if len({each.revision for each in messages}) < BATCH:
                return True

    async def _reload(self, *, back: bool) -> None:
        """Read the state itself, and let readers find out by a heartbeat what they miss."""
        heads = await self._changes.heads()
        if back or heads.revision > self.revision:
            self._take_heads(heads.revision, heads.scopes)
            await self.send_heartbeats(self._heartbeat_interval)

    def _take_heads(self, revision: int, scopes: dict[Scope, ScopeState]) -> None:
        self.revision, self._scopes = revision, dict(scopes)
        self._recent.clear()
        self._early = {each: kept for each, kept in self._early.items() if each > revision}
        self._metrics.revision.set(revision)

    def _offer_one(self, revision: int, messages: Sequence[ChangeMessage]) -> None:
        if revision > self.revision + 1:
            if len(self._early) < EARLY:
                self._early[revision] = messages
            return
        if revision == self.revision + 1:
            self._apply(revision, messages)
        while (following := self._early.pop(self.revision + 1, None)) is not None:
            self._apply(self.revision + 1, following)

    def _apply(self, revision: int, messages: Sequence[ChangeMessage]) -> None:
        self._early.pop(revision, None)
        self.revision = revision
        self._recent.add(revision, messages)
        self._metrics.revision.set(revision)
        for message in messages:
            self._scopes[message.scope] = ScopeState(message.revision, message.digest)
            self._readers.send_change(message)

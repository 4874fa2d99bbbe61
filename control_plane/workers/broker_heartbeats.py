"""Tells the agents that follow by the broker, every few seconds, what has been published.

A heartbeat must never run ahead of the changes: an agent would think lost what is only late. So the state that it
tells is not the committed one. It starts as the committed state at the moment when this replica begins to lead, counts
from when the outbox is empty for the first time, and then advances by the very messages that the broker confirmed.
"""

import logging
from collections.abc import Sequence

import anyio

from control_plane.domain.errors import UnavailableError
from control_plane.ports.outbox import Publisher
from control_plane.ports.registry import Registry
from shared.domain.scope import Lineage, Scope
from shared.wire import topology
from shared.wire.messages import ChangeMessage, Heartbeat, ScopeState

_log = logging.getLogger(__name__)

MAX_RATE = 1_000.0
"""Heartbeats a second at most; where there are more environments, each gets its own less often."""

_BATCH = 100
"""Heartbeats published at once: changes wait no longer than these take."""

_ENVIRONMENTS = 100_000

_UNTOUCHED = ScopeState()


class BrokerHeartbeats:
    """Lives as long as one leadership; `revision` is the last one that is known to be published."""

    def __init__(self, publisher: Publisher, registry: Registry, interval: float) -> None:
        self._publisher, self._registry, self._interval = publisher, registry, interval
        self.revision = 0
        self._scopes: dict[Scope, ScopeState] = {}
        self._drained = anyio.Event()
        self._begun_at = 0
        self._pairs: list[tuple[str, str]] = []

    def begin(self, revision: int, scopes: dict[Scope, ScopeState]) -> None:
        """Start from the committed state, of which some may not be published yet."""
        self._begun_at, self._scopes = revision, scopes

    def published(self, messages: Sequence[ChangeMessage]) -> None:
        """The broker has confirmed these."""
        for message in messages:
            known = self._scopes.get(message.scope, _UNTOUCHED)
            if message.revision > known.revision:
                self._scopes[message.scope] = ScopeState(message.revision, message.digest)
            self.revision = max(self.revision, message.revision)

    def drained(self) -> None:
        """The outbox is empty: all that we started from is published."""
        self.revision = max(self.revision, self._begun_at)
        self._drained.set()

    async def run(self) -> None:
        """Send them until cancelled."""
        await self._drained.wait()
        while True:
            interval = await self._send()
            await anyio.sleep(interval)

    async def _send(self) -> float:
        """Send one to each registered environment; returns when the next ones are due."""
        try:
            self._pairs = await self._registry.environments(_ENVIRONMENTS)
        except UnavailableError as error:
            _log.debug("the environments are those of before", extra={"error": str(error)})
        interval = max(self._interval, len(self._pairs) / MAX_RATE)
        try:
            for start in range(0, len(self._pairs), _BATCH):
                batch = [self._heartbeat(*pair, interval) for pair in self._pairs[start : start + _BATCH]]
                await self._publisher.publish_all(batch, persistent=False)
        except UnavailableError as error:
            _log.debug("no heartbeats: the broker is away", extra={"error": str(error)})
        return interval

    def _heartbeat(self, app_id: str, environment: str, interval: float) -> tuple[str, bytes]:
        lineage = Lineage.of(app_id, environment)
        global_, app, own = (self._scopes.get(scope, _UNTOUCHED) for scope in lineage)
        heartbeat = Heartbeat(self.revision, global_, app, own, interval)
        return topology.routing_key(lineage.environment), heartbeat.encode()

"""Move committed outbox rows to the broker: one replica leads, in revision order, each batch confirmed before the next.

A row is marked only after its confirm, so a crash at any point repeats messages and never loses one.
"""

import logging
from collections.abc import AsyncIterator, Sequence

import anyio
from anyio.abc import TaskStatus

from control_plane.domain.errors import UnavailableError
from control_plane.metrics import Metrics
from control_plane.ports.lossy import Notices
from control_plane.ports.outbox import Leadership, Outbox, OutboxStatus, Publisher
from control_plane.ports.registry import Registry
from control_plane.services.feed import Feed
from control_plane.workers.broker_heartbeats import BrokerHeartbeats
from control_plane.workers.leader import lead
from shared.runtime.clock import Clock, SystemClock
from shared.runtime.retry import Backoff
from shared.wire import topology
from shared.wire.messages import ChangeMessage

_log = logging.getLogger(__name__)

LIMIT = 100
"""Changes published at once."""

_LOOK_EVERY = 1.0
"""Seconds after which the leader looks at the outbox although no bell rang."""

_BACKOFF_CAP = 1.0
"""Ceiling in seconds of the waits for a broker that is away."""


class Relay:
    """Publishes while it leads. A broker that is away is waited for; the outbox holds what is due."""

    def __init__(  # noqa: PLR0917 - the composition hands in what it has
        self,
        leadership: Leadership,
        publisher: Publisher,
        notices: Notices,
        feed: Feed,
        registry: Registry,
        metrics: Metrics,
        heartbeat_interval: float,
        clock: Clock | None = None,
    ) -> None:
        self._leadership, self._publisher, self._notices = leadership, publisher, notices
        self._feed, self._registry, self._metrics = feed, registry, metrics
        self._heartbeat_interval = heartbeat_interval
        self._clock = clock or SystemClock()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Compete and relay until cancelled."""
        task_status.started()
        await lead(self._leadership, self._relay, "relay")

    async def _relay(self, outbox: Outbox) -> None:
        self._metrics.leader.set(1)
        try:
            async with self._notices.listen() as rings, anyio.create_task_group() as group:
                # Whoever led before us is done: what is committed now is the state that heartbeats start from.
                await self._feed.catch_up()
                heartbeats = BrokerHeartbeats(self._publisher, self._registry, self._heartbeat_interval)
                heartbeats.begin(self._feed.revision, self._feed.states())
                group.start_soon(heartbeats.run)
                await self._follow(outbox, rings, heartbeats)
        finally:
            self._metrics.leader.set(0)
            self._show(OutboxStatus(0, 0.0))

    async def _follow(self, outbox: Outbox, rings: AsyncIterator[int], heartbeats: BrokerHeartbeats) -> None:
        """Once a second the outbox says what is due; in between, the feed beside us mostly has it in memory."""
        while True:
            while due := await outbox.pending(LIMIT):
                await self._relay_batch(outbox, due, heartbeats)
            heartbeats.drained()
            self._show(OutboxStatus(0, 0.0))
            until = anyio.current_time() + _LOOK_EVERY
            while await self._hears_of_more(rings, heartbeats.revision, until):
                if not (due := self._feed.recent(heartbeats.revision, LIMIT)):
                    break
                await self._relay_batch(outbox, due, heartbeats)

    async def _hears_of_more(self, rings: AsyncIterator[int], published: int, until: float) -> bool:
        """Whether a change after `published` is heard of before `until`."""
        if (left := until - anyio.current_time()) > 0 and self._feed.revision > published:
            return True
        with anyio.move_on_after(left):
            while await anext(rings) <= published:
                pass
            return True
        return False

    async def _relay_batch(self, outbox: Outbox, due: Sequence[ChangeMessage], heartbeats: BrokerHeartbeats) -> None:
        await self._publish(outbox, [(topology.routing_key(each.scope), each.encode()) for each in due])
        heartbeats.published(due)
        self._count(due)
        await outbox.mark_published(due)

    async def _publish(self, outbox: Outbox, batch: Sequence[tuple[str, bytes]]) -> None:
        """Return once the broker has confirmed all, however long it is away; losing the leadership ends it."""
        backoff = Backoff(cap=_BACKOFF_CAP)
        while True:
            try:
                await self._publisher.publish_all(batch)
            except UnavailableError as error:
                if backoff.failures == 0:
                    _log.warning("the broker is away; the outbox holds", extra={"error": str(error)})
                await anyio.sleep(backoff.next())
                self._show(await outbox.status())
            else:
                if backoff.failures > 0:
                    _log.info("the broker is back", extra={"attempts": backoff.failures})
                return

    def _show(self, status: OutboxStatus) -> None:
        self._metrics.outbox_depth.set(status.depth)
        self._metrics.outbox_age.set(status.oldest_age)

    def _count(self, published: Sequence[ChangeMessage]) -> None:
        now = self._clock.now()
        self._metrics.published.inc(len(published))
        for each in published:
            self._metrics.relay_lag.observe(max(0.0, (now - each.committed_at).total_seconds()))

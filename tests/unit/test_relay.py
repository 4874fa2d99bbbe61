"""The relay: in order, nothing lost, and heartbeats that never run ahead."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
import pytest

from control_plane.embedded.memory import MemoryNotices
from control_plane.metrics import Metrics
from control_plane.services.feed import Feed
from control_plane.services.recent import LARGEST
from control_plane.workers.housekeeping import Housekeeping
from control_plane.workers.relay import Relay
from shared.domain.scope import Lineage, Scope
from shared.runtime.clock import SystemClock
from shared.runtime.lifecycle import running
from shared.wire.messages import ChangeMessage, Heartbeat, ScopeState, decode_message
from shared.wire.topology import routing_key
from tests.fakes.publisher import RecordingPublisher
from tests.fakes.store import FakeLeadership, FakeStore

GLOBAL, APP, PROD = Lineage.of("billing", "prod")
IDLE = 3600.0


class Replica:
    """One replica of several over the same store, leadership, bell and broker."""

    def __init__(
        self, store: FakeStore, leadership: FakeLeadership, notices: MemoryNotices, publisher: RecordingPublisher
    ) -> None:
        self.store, self.leadership, self.notices, self.publisher = store, leadership, notices, publisher
        self.metrics = Metrics()
        self.feed = Feed(store, self.metrics, SystemClock())

    def relay(self, heartbeat_interval: float = IDLE) -> Relay:
        return Relay(
            self.leadership,
            self.publisher,
            self.notices,
            self.feed,
            self.store,
            self.metrics,
            heartbeat_interval,
        )

    async def commit(self, *scopes: Scope) -> list[ChangeMessage]:
        messages = self.store.write(*scopes)
        await self.notices.ring(messages[0].revision)
        return messages

    def changes(self) -> list[tuple[int, str]]:
        """The changes on the broker by revision and routing key."""
        return [
            (message.revision, key)
            for key, body in self.publisher.sent
            if isinstance(message := decode_message(body), ChangeMessage)
        ]

    async def until_published(self, revision: int) -> None:
        with anyio.fail_after(5):
            while not self.changes() or self.changes()[-1][0] < revision or self.store.unpublished:
                await anyio.sleep(0.001)


@pytest.fixture
def replica() -> Replica:
    store = FakeStore(("billing", "prod"), ("shop", "prod"))
    return Replica(store, FakeLeadership(store), MemoryNotices(), RecordingPublisher())


def other(replica: Replica) -> Replica:
    return Replica(replica.store, replica.leadership, replica.notices, replica.publisher)


async def test_what_waits_in_the_outbox_is_published_first_then_what_comes(replica: Replica) -> None:
    replica.store.write(GLOBAL, PROD)
    async with running(replica.relay().run):
        await replica.until_published(1)
        await replica.commit(APP)
        await replica.until_published(2)
        assert replica.metrics.registry.get_sample_value("trimtab_leader") == 1
    assert replica.changes() == [(1, "global"), (1, "env.billing.prod"), (2, "app.billing")]
    assert replica.metrics.registry.get_sample_value("trimtab_relay_published_total") == 3
    assert replica.metrics.registry.get_sample_value("trimtab_leader") == 0


async def test_what_the_feed_has_in_memory_is_not_read_again(replica: Replica) -> None:
    async with running(replica.relay().run):
        await replica.commit(GLOBAL)
        await replica.until_published(1)
        await replica.feed.catch_up()
        replica.store.queries.clear()
        for revision in range(2, 30):
            replica.feed.offer(replica.store.write(GLOBAL, PROD))
            await replica.notices.ring(revision)
            await replica.until_published(revision)
        assert replica.store.queries.count("mark_published") == 28
        assert replica.store.queries.count("pending") < 5
        replica.feed.offer(replica.store.write(PROD, value="x" * LARGEST))
        await replica.notices.ring(30)
        await replica.until_published(30)
    assert [revision for revision, _ in replica.changes()] == [1, *sorted(2 * list(range(2, 30))), 30]


async def test_the_feed_is_no_substitute_for_the_outbox_of_the_others(replica: Replica) -> None:
    async with running(replica.relay().run):
        for revision in range(1, 40):
            messages = replica.store.write(GLOBAL)
            if revision % 3:
                replica.feed.offer(messages)
            if revision % 5:
                await replica.notices.ring(revision)
            await anyio.sleep(0.002)
        await replica.notices.ring(39)
        await replica.until_published(39)
    assert [revision for revision, _ in replica.changes()] == list(range(1, 40))


async def test_a_lost_ring_delays_a_change_by_about_a_second(replica: Replica) -> None:
    async with running(replica.relay().run):
        with anyio.fail_after(2.5):
            replica.store.write(GLOBAL)
            await replica.until_published(1)


async def test_a_broker_that_is_away_is_waited_for_without_giving_up_the_lead(replica: Replica) -> None:
    replica.publisher.away, replica.publisher.leaks = True, 2
    async with running(replica.relay().run):
        for _ in range(3):
            await replica.commit(GLOBAL, PROD)
        await replica.publisher.wait_for_attempts(3)
        assert replica.store.unpublished
        replica.publisher.away = False
        await replica.until_published(3)
    assert replica.leadership.led == 1
    whole = [(revision, routing_key(scope)) for revision in (1, 2, 3) for scope in (GLOBAL, PROD)]
    assert replica.changes()[-6:] == whole or replica.changes()[-2:] == whole[-2:]
    assert set(replica.changes()) == set(whole)


async def test_a_leadership_lost_while_the_broker_is_away_goes_to_another(replica: Replica) -> None:
    replica.publisher.away = True
    successor = other(replica)
    async with running(replica.relay().run, successor.relay().run):
        await replica.commit(GLOBAL)
        await replica.publisher.wait_for_attempts(1)
        first = replica.leadership.current
        assert first is not None
        first.lost = True
        with anyio.fail_after(5):
            while replica.leadership.led < 2:
                await anyio.sleep(0.001)
        replica.publisher.away = False
        await replica.until_published(1)


async def test_the_database_away_ends_the_lead_and_not_the_relay(replica: Replica) -> None:
    async with running(replica.relay().run):
        await replica.commit(GLOBAL)
        await replica.until_published(1)
        replica.store.away = True
        await replica.notices.ring(2)
        with anyio.fail_after(5):
            while replica.leadership.current is not None:
                await anyio.sleep(0.001)
        replica.store.away = False
        await replica.commit(GLOBAL)
        await replica.until_published(2)


class CrashingPublisher(RecordingPublisher):
    """Confirms, and the process dies before it can remember that."""

    def __init__(self, crash: anyio.CancelScope) -> None:
        super().__init__()
        self._crash = crash

    async def publish_all(self, batch: Sequence[tuple[str, bytes]], *, persistent: bool = True) -> None:
        await super().publish_all(batch, persistent=persistent)
        self._crash.cancel()


async def test_a_crash_between_publish_and_mark_repeats_and_loses_nothing(replica: Replica) -> None:
    for _ in range(3):
        replica.store.write(GLOBAL, PROD)
    with anyio.CancelScope() as crash:
        crashing = other(replica)
        crashing.publisher = CrashingPublisher(crash)
        await crashing.relay().run()
    assert len(crashing.publisher.sent) == 6
    async with running(replica.relay().run):
        await replica.until_published(3)
    assert replica.changes() == crashing.changes()


async def test_heartbeats_tell_what_is_published_and_never_more(replica: Replica) -> None:
    """Each heartbeat is compared with the changes before it in the very order in which the broker got them."""
    for _ in range(3):
        replica.store.write(GLOBAL, PROD)
    async with running(replica.relay(0.002).run):
        for number in range(30):
            replica.publisher.away = number % 7 == 3
            messages = await replica.commit(*((GLOBAL,), (APP, PROD), (Scope("shop"),))[number % 3])
            replica.feed.offer(messages)  # as the writer's own replica does: before the relay gets to publish it
            await anyio.sleep(0.003)
        replica.publisher.away = False
        await replica.until_published(33)
        count = len(replica.publisher.sent)
        await replica.publisher.wait_for(count + 10)
    states: dict[str, ScopeState] = {}
    last: dict[str, Heartbeat] = {}
    for key, body in replica.publisher.sent:
        message = decode_message(body)
        if isinstance(message, ChangeMessage):
            if message.revision > states.get(key, ScopeState()).revision:
                states[key] = ScopeState(message.revision, message.digest)
        else:
            last[key] = message
            _, app, _ = key.split(".")
            told = (message.global_, message.app, message.environment)
            for scope, state in zip(("global", f"app.{app}", key), told, strict=True):
                sent = states.get(scope, ScopeState())
                assert state.revision < sent.revision or state == sent
            assert message.revision <= max(each.revision for each in states.values())
    assert {each.revision for each in last.values()} == {33}
    assert set(last) == {"env.billing.prod", "env.shop.prod"}


class TurnstilePublisher(RecordingPublisher):
    """Lets changes through one batch at a time, and heartbeats always."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self.turns = anyio.Semaphore(0)

    async def publish_all(self, batch: Sequence[tuple[str, bytes]], *, persistent: bool = True) -> None:
        if persistent:
            self.waiting += 1
            await self.turns.acquire()
        await super().publish_all(batch, persistent=persistent)

    async def until_waiting(self, times: int) -> None:
        with anyio.fail_after(5):
            while self.waiting < times:
                await anyio.sleep(0.001)

    async def next_heartbeat(self) -> Heartbeat:
        """One that was made after now."""
        await self.wait_for(len(self.sent) + 4)
        heartbeat = decode_message(self.sent[-1][1])
        assert isinstance(heartbeat, Heartbeat)
        return heartbeat


async def test_what_is_committed_and_waits_for_the_broker_is_in_no_heartbeat(replica: Replica) -> None:
    replica.publisher = publisher = TurnstilePublisher()
    async with running(replica.relay(0.001).run):
        assert (await publisher.next_heartbeat()).revision == 0
        for revision in (1, 2):
            replica.feed.offer(await replica.commit(GLOBAL))
            await publisher.until_waiting(1)
            assert replica.feed.revision == revision
        publisher.turns.release()
        await publisher.until_waiting(2)
        heartbeat = await publisher.next_heartbeat()
        assert (heartbeat.revision, heartbeat.global_.revision) == (1, 1)
        publisher.turns.release()
        await replica.until_published(2)
        heartbeat = await publisher.next_heartbeat()
        assert (heartbeat.revision, heartbeat.global_.revision) == (2, 2)


async def test_a_new_leader_knows_what_the_former_one_published(replica: Replica) -> None:
    """Its own feed may lag when it takes over: it looks before it tells anything."""
    async with running(replica.relay().run):
        await replica.commit(GLOBAL)
        await replica.commit(PROD)
        await replica.until_published(2)
    replica.publisher.sent.clear()
    successor = other(replica)
    assert successor.feed.revision == 0
    async with running(successor.relay(0.002).run):
        await replica.publisher.wait_for(2)
    heartbeat = decode_message(dict(replica.publisher.sent)["env.billing.prod"])
    assert isinstance(heartbeat, Heartbeat)
    assert (heartbeat.revision, heartbeat.global_.revision, heartbeat.environment.revision) == (2, 1, 2)


async def test_no_heartbeat_is_sent_before_the_outbox_was_empty(replica: Replica) -> None:
    replica.store.write(GLOBAL)
    replica.publisher.away = True
    async with running(replica.relay(0.001).run):
        await replica.publisher.wait_for_attempts(3)
        assert replica.publisher.sent == []
        replica.publisher.away = False
        await replica.publisher.wait_for(3)
    kinds = [type(decode_message(body)) for _, body in replica.publisher.sent[:3]]
    assert kinds == [ChangeMessage, Heartbeat, Heartbeat]


@asynccontextmanager
async def housekeeping(replica: Replica, interval: float) -> AsyncIterator[None]:
    async with running(Housekeeping(replica.leadership, retention=60.0, interval=interval).run):
        yield


async def test_housekeeping_goes_on_after_an_outage(replica: Replica) -> None:
    async with housekeeping(replica, 0.001):
        with anyio.fail_after(5):
            while replica.leadership.current is None or len(replica.leadership.current.pruned) < 3:
                await anyio.sleep(0.001)
            replica.store.away = True
            while replica.leadership.led < 2:
                await anyio.sleep(0.001)
            replica.store.away = False
            while replica.leadership.current is None or not replica.leadership.current.pruned:
                await anyio.sleep(0.001)
            assert replica.leadership.current.pruned[0] == 60.0

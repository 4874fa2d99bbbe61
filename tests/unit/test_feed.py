"""The feed: what a replica knows, and who hears of it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import anyio
import pytest
from anyio.lowlevel import checkpoint

from control_plane.domain.errors import UnavailableError
from control_plane.embedded.memory import MemoryNotices
from control_plane.metrics import Metrics
from control_plane.services import feed as feed_module
from control_plane.services.feed import BATCH, FAR_BEHIND, Feed
from control_plane.workers.follower import Follower
from control_plane.workers.heartbeats import Heartbeats
from shared.domain.scope import Lineage, Revisions, Scope
from shared.runtime.lifecycle import running
from shared.wire.messages import ChangeMessage, Heartbeat, Message, decode_message
from tests.fakes.clock import ManualClock
from tests.fakes.store import FakeStore

GLOBAL, APP, PROD, TEST, OTHER = (
    Scope(),
    Scope("billing"),
    Scope("billing", "prod"),
    Scope("billing", "test"),
    Scope("shop"),
)


@contextmanager
def reading(feed: Feed, app_id: str, environment: str) -> Iterator[list[Message]]:
    heard: list[Message] = []

    def deliver(chunk: bytes) -> None:
        size, _, rest = chunk.partition(b"\r\n")
        assert len(rest) == int(size, 16) + 2
        event, data = rest.decode().splitlines()[:2]
        message = decode_message(data.removeprefix("data: ").encode())
        assert event == ("event: change" if isinstance(message, ChangeMessage) else "event: heartbeat")
        heard.append(message)

    with feed.subscribe(Lineage.of(app_id, environment), deliver):
        yield heard


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def feed(store: FakeStore) -> Feed:
    return Feed(store, Metrics(), ManualClock())


def revisions(heard: list[Message]) -> list[int]:
    return [each.revision for each in heard]


async def test_a_change_reaches_exactly_those_who_see_its_scope(store: FakeStore, feed: Feed) -> None:
    with ExitStack() as stack:
        prod, test = (stack.enter_context(reading(feed, "billing", each)) for each in ("prod", "test"))
        shop = stack.enter_context(reading(feed, "shop", "prod"))
        for scopes in ((GLOBAL,), (APP,), (PROD,), (TEST, OTHER)):
            assert feed.offer(store.write(*scopes))
    assert (revisions(prod), revisions(test), revisions(shop)) == ([1, 2, 3], [1, 2, 4], [1, 4])
    assert feed.revisions("billing", "test") == Revisions(1, 2, 4)
    assert feed.revisions("nobody", "knows") == Revisions(1, 0, 0)
    assert store.queries == []


async def test_who_has_left_hears_nothing_more(store: FakeStore, feed: Feed) -> None:
    with reading(feed, "billing", "prod") as heard:
        feed.offer(store.write(GLOBAL))
    feed.offer(store.write(GLOBAL))
    assert revisions(heard) == [1]


async def test_an_own_commit_that_overtook_another_waits_for_it(store: FakeStore, feed: Feed) -> None:
    first, second, third = (store.write(GLOBAL) for _ in range(3))
    with reading(feed, "billing", "prod") as heard:
        assert not feed.offer(third)
        assert not feed.offer(second)
        assert feed.offer(first)
    assert (feed.revision, revisions(heard)) == (3, [1, 2, 3])


async def test_a_change_that_is_known_already_is_not_delivered_again(store: FakeStore, feed: Feed) -> None:
    messages = store.write(GLOBAL, APP)
    with reading(feed, "billing", "prod") as heard:
        assert feed.offer(messages)
        assert feed.offer(messages)
        await feed.catch_up()
    assert len(heard) == 2


async def test_catching_up_reads_all_batches(store: FakeStore, feed: Feed) -> None:
    for _ in range(2 * BATCH + 1):
        store.write(GLOBAL, APP)
    with reading(feed, "billing", "prod") as heard:
        await feed.catch_up()
    assert feed.revision == 2 * BATCH + 1
    assert revisions(heard) == sorted(2 * list(range(1, 2 * BATCH + 2)))
    assert feed.digests("billing", "prod")[0] == store.messages[-1].digest


async def test_one_look_at_the_database_is_enough_for_all_who_wait(store: FakeStore, feed: Feed) -> None:
    store.write(GLOBAL)
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(feed.catch_up)
    assert store.queries == ["revision", "messages_after"]


async def test_who_asks_during_a_look_waits_for_the_next_one(store: FakeStore, feed: Feed) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(feed.catch_up)
        while not store.queries:
            await checkpoint()
        for _ in range(20):
            group.start_soon(feed.catch_up)
    assert store.queries == ["revision", "revision"]


async def test_who_gives_up_waiting_leaves_the_others_in_peace(store: FakeStore, feed: Feed) -> None:
    store.write(GLOBAL)
    async with anyio.create_task_group() as group:
        with anyio.CancelScope() as scope:
            group.start_soon(feed.catch_up)
            scope.cancel()
            await feed.catch_up()
    assert feed.revision == 1


async def test_a_failure_is_told_to_all_who_waited_for_that_look(store: FakeStore, feed: Feed) -> None:
    store.away = True
    failures = 0

    async def expect_failure() -> None:
        nonlocal failures
        with pytest.raises(UnavailableError):
            await feed.catch_up()
        failures += 1

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(expect_failure)
    assert (failures, store.queries) == (20, ["revision"])


async def test_a_revision_that_is_known_asks_nothing(store: FakeStore, feed: Feed) -> None:
    feed.offer(store.write(GLOBAL))
    await feed.catch_up(1)
    assert store.queries == []


async def test_a_revision_heard_of_is_read_in_one_query(store: FakeStore, feed: Feed) -> None:
    store.write(GLOBAL)
    await feed.catch_up(1)
    assert (feed.revision, store.queries) == (1, ["messages_after"])


async def test_a_revision_that_nobody_committed_changes_nothing(store: FakeStore, feed: Feed) -> None:
    feed.offer(store.write(GLOBAL))
    with reading(feed, "billing", "prod") as heard:
        await feed.catch_up(7)
        await feed.catch_up(10**15)
    assert (feed.revision, heard) == (1, [])


async def test_far_behind_the_state_is_read_anew_and_readers_are_told(
    store: FakeStore, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "FAR_BEHIND", 10)
    assert FAR_BEHIND > BATCH
    for _ in range(11):
        store.write(APP)
    with reading(feed, "billing", "prod") as heard:
        await feed.catch_up()
    assert "messages_after" not in store.queries
    assert isinstance(heard[0], Heartbeat)
    assert heard[0].app == feed.state(APP)
    assert feed.revisions("billing", "prod") == Revisions(0, 11, 0)


async def test_messages_that_were_pruned_meanwhile_are_made_up_for(store: FakeStore, feed: Feed) -> None:
    for _ in range(5):
        store.write(APP)
    store.forget(3)
    with reading(feed, "billing", "prod") as heard:
        await feed.catch_up()
    assert (feed.revision, revisions(heard)) == (5, [5])
    feed.offer(store.write(APP))
    assert feed.revision == 6


async def test_a_database_that_went_back_is_followed(store: FakeStore, feed: Feed) -> None:
    for _ in range(3):
        feed.offer(store.write(APP))
    restored = FakeStore()
    restored.write(APP)
    feed._changes = restored
    await feed.catch_up()
    assert (feed.revision, feed.revisions("billing", "prod")) == (1, Revisions(0, 1, 0))


async def test_an_outage_keeps_the_last_state_and_its_age(store: FakeStore) -> None:
    clock = ManualClock()
    feed = Feed(store, Metrics(), clock)
    store.write(GLOBAL)
    await feed.load()
    checked = feed.checked_at
    store.away = True
    clock.advance(10)
    with pytest.raises(UnavailableError):
        await feed.catch_up()
    assert (feed.revision, feed.checked_at) == (1, checked)
    store.away = False
    await feed.catch_up()
    assert feed.checked_at == checked + 10


async def test_a_reader_that_fails_is_dropped_and_harms_nobody(store: FakeStore, feed: Feed) -> None:
    calls = 0

    def fail(_: bytes) -> None:
        nonlocal calls
        calls += 1
        raise ConnectionResetError

    with feed.subscribe(Lineage.of("billing", "prod"), fail), reading(feed, "billing", "prod") as heard:
        feed.offer(store.write(GLOBAL))
        feed.offer(store.write(PROD))
    assert (calls, revisions(heard)) == (1, [1, 2])


async def test_heartbeats_tell_each_lineage_its_state(store: FakeStore, feed: Feed) -> None:
    feed.offer(store.write(GLOBAL, PROD))
    with reading(feed, "billing", "prod") as prod, reading(feed, "shop", "prod") as shop:
        with anyio.fail_after(5):
            async with running(Heartbeats(feed, 0.01).run):
                while not (prod and shop):
                    await anyio.sleep(0.001)
    assert prod[0] == Heartbeat(1, feed.state(GLOBAL), feed.state(APP), feed.state(PROD), 0.01)
    assert isinstance(shop[0], Heartbeat)
    assert shop[0].environment.revision == 0


async def until(feed: Feed, revision: int) -> None:
    with anyio.fail_after(5):
        while feed.revision < revision:
            await anyio.sleep(0.001)


async def test_a_ring_is_followed_at_once(store: FakeStore, feed: Feed) -> None:
    notices = MemoryNotices()
    async with running(Follower(feed, notices, interval=60.0).run):
        store.write(GLOBAL)
        await notices.ring(1)
        await until(feed, 1)
        feed.offer(store.write(GLOBAL))
        await notices.ring(2)
    assert store.queries == ["messages_after"]


async def test_changes_arrive_without_a_bell_too(store: FakeStore, feed: Feed) -> None:
    async with running(Follower(feed, MemoryNotices(), interval=0.01).run):
        store.write(GLOBAL)
        await until(feed, 1)


async def test_following_survives_an_outage(store: FakeStore, feed: Feed, caplog: pytest.LogCaptureFixture) -> None:
    async with running(Follower(feed, MemoryNotices(), interval=0.001).run):
        store.away = True
        store.write(GLOBAL)
        with anyio.fail_after(5):
            while len(store.queries) < 5:
                await anyio.sleep(0.001)
        store.away = False
        await until(feed, 1)
    assert [each.message for each in caplog.records].count("cannot follow the database") == 1

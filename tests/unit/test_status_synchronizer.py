from collections.abc import AsyncIterator, Callable

import anyio
import pytest

from agent.ports import UpstreamRefusedError, UpstreamUnavailableError
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from agent.snapshot.usage import Usage
from agent.sync import failover
from agent.sync import reporter as reporter_module
from agent.sync.reporter import Identity, Reporter
from agent.sync.skew import Skew
from agent.sync.status import State, Status
from agent.sync.synchronizer import Synchronizer
from shared.domain.entry import Entry
from shared.domain.scope import Revisions
from shared.runtime.lifecycle import running
from shared.wire.messages import Heartbeat, ScopeState
from shared.wire.snapshot import MalformedSnapshotError, SnapshotDocument
from tests.fakes.clock import ManualClock
from tests.fakes.control_plane import APP, ENVIRONMENT, LINEAGE, Model, Write
from tests.fakes.snapshots import following
from tests.fakes.upstream import FakeFeed, FakeSource, MemoryKeeper, TickingClock

GLOBAL, OF_APP, OWN = LINEAGE


class World:
    """A synchronizer between fakes: a preferred feed, a fallback, a source, a keeper."""

    def __init__(self) -> None:
        self.model = Model()
        self.best, self.fallback = FakeFeed("best"), FakeFeed("fallback")
        self.source, self.keeper = FakeSource(self.model), MemoryKeeper()
        self.store, self.status = SnapshotStore(Snapshot.empty(APP, ENVIRONMENT)), Status()
        self.synchronizer = Synchronizer(
            self.store, [self.best, self.fallback], self.source, self.keeper, self.status, TickingClock(),
            patience=0.02, poll_interval=0.02,
        )  # fmt: skip

    async def until(self, fact: Callable[[], bool]) -> None:
        with anyio.fail_after(5):
            while not fact():
                await anyio.sleep(0.002)

    async def live(self) -> None:
        await self.until(lambda: self.status.state is State.LIVE)

    async def at(self, revision: int) -> None:
        await self.until(lambda: self.store.current.revision == revision)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def living(world: World) -> AsyncIterator[World]:
    async with running(world.synchronizer.run):
        await world.live()
        yield world


async def test_it_is_live_once_it_follows_and_has_fetched(living: World) -> None:
    assert (living.store.ready, living.status.transport, living.source.fetches[0]) == (True, "best", None)
    assert living.status.staleness(anyio.current_time()) is not None


async def test_it_serves_the_last_known_good_before_it_hears_anything(world: World) -> None:
    world.model.commit(Write(OWN, "a"))
    world.keeper.kept = Snapshot.empty(APP, ENVIRONMENT).after(world.model.document())
    assert world.status.state is State.HYDRATING
    assert world.synchronizer.hydrate()
    assert (world.status.state, world.store.ready, world.store.current.revision) == (State.STALE, True, 1)
    assert world.status.staleness(0) is None


async def test_a_message_is_applied_when_it_comes(living: World) -> None:
    fetches = len(living.source.fetches)
    living.best.send(*living.model.commit(Write(OWN, "a"), Write(GLOBAL, "a")))
    await living.at(1)
    assert (len(living.source.fetches), living.status.applied_at) == (fetches, TickingClock().now())
    assert living.keeper.kept == living.store.current


async def test_before_there_is_a_snapshot_a_message_makes_none(world: World) -> None:
    world.source.away = UpstreamUnavailableError("away")
    async with running(world.synchronizer.run):
        await world.until(lambda: world.best.followed)
        world.best.send(*world.model.commit(Write(OWN, "a")), world.model.heartbeat())
        await anyio.sleep(0.05)
        assert (world.store.ready, world.status.state) == (False, State.HYDRATING)
        world.source.away = None
        await world.at(1)
        await world.live()


async def test_a_lost_message_is_noticed_by_the_next_one_and_fetched_as_a_delta(living: World) -> None:
    living.model.commit(Write(OWN, "a"))
    living.best.send(*living.model.commit(Write(OWN, "b")))
    await living.at(2)
    assert (living.status.gaps, living.source.fetches[-1]) == (1, Revisions())


async def test_a_lost_last_message_is_noticed_by_the_heartbeat(living: World) -> None:
    living.model.commit(Write(OWN, "a"))
    living.best.send(living.model.heartbeat())
    await living.at(1)


async def test_a_lost_part_of_a_change_is_fetched_after_a_moment(living: World) -> None:
    living.best.send(living.model.commit(Write(OWN, "a"), Write(GLOBAL, "a"))[0])
    await living.at(1)
    assert living.store.current.revisions == Revisions(1, 0, 1)


async def test_messages_that_come_during_a_fetch_are_joined_to_it(living: World) -> None:
    living.source.gate = anyio.Event()
    living.model.commit(Write(OWN, "a"))
    living.best.send(*living.model.commit(Write(OWN, "b")))
    before = len(living.source.fetches)
    await living.until(lambda: len(living.source.fetches) > before)
    living.best.send(*living.model.commit(Write(OWN, "c")))
    await anyio.wait_all_tasks_blocked()
    assert living.store.current.revision == 0
    living.source.gate.set()
    await living.at(3)
    assert len(living.source.fetches) == before + 1


async def test_something_else_at_the_same_revision_is_fetched_whole(living: World) -> None:
    living.best.send(*living.model.commit(Write(OWN, "a")))
    await living.at(1)
    broken = living.store.current
    living.store.swap(Snapshot(APP, ENVIRONMENT, broken.revisions, ({}, {}, {}), (0, 0, 0), {}))
    living.best.send(living.model.heartbeat())
    await living.until(lambda: "a" in living.store.current.effective)
    assert living.source.fetches[-1] is None


async def test_a_change_that_cannot_be_applied_changes_nothing_and_is_fetched(living: World) -> None:
    (message,) = living.model.commit(Write(OWN, "a"))
    bad = type(message)(1, 0, OWN, (OWN,), message.committed_at, 12345, message.operations)
    living.best.send(bad)
    await living.until(lambda: living.status.rejections == 1)
    await living.at(1)
    assert living.store.current.digests == living.model.digests()


async def test_a_delta_that_is_rejected_is_followed_by_the_whole(living: World) -> None:
    living.source.answers = [MalformedSnapshotError("nonsense")]
    living.model.commit(Write(OWN, "a"))
    assert await living.synchronizer.sync_now()
    assert (living.store.current.revision, living.source.fetches[-1]) == (1, None)


async def test_a_whole_that_is_rejected_is_told_and_the_old_state_kept(living: World) -> None:
    living.best.send(*living.model.commit(Write(OWN, "a")))
    await living.at(1)
    kept = living.keeper.kept
    living.source.answers = [MalformedSnapshotError("nonsense"), MalformedSnapshotError("nonsense as well")]
    living.model.commit(Write(OWN, "b"))
    assert not await living.synchronizer.sync_now()
    assert living.status.rejection is not None
    assert (living.status.rejection.reason, living.store.current.revision) == ("nonsense as well", 1)
    assert living.keeper.kept == kept
    await living.at(2)
    assert living.status.rejection is None


async def test_a_replica_that_lags_does_not_take_us_back(living: World) -> None:
    early = (living.model.document(), living.model.heartbeat())
    living.best.send(*living.model.commit(Write(OWN, "a")))
    await living.at(1)
    living.best.send(early[1])
    living.source.answers = [early[0]]
    assert not await living.synchronizer.sync_now()
    assert (living.store.current.revision, living.status.rejection) == (1, None)


async def test_an_answer_from_memory_does_not_count_as_agreement(living: World) -> None:
    document = living.model.document(Revisions())
    stale = SnapshotDocument(APP, ENVIRONMENT, document.revisions, document.digests, False, (), stale=True)
    living.source.answers = [stale]
    assert not await living.synchronizer.sync_now()
    assert living.status.state is State.STALE


async def test_a_full_disk_is_told_and_serving_goes_on(living: World) -> None:
    living.keeper.failure = OSError("No space left on device")
    living.best.send(*living.model.commit(Write(OWN, "a")))
    await living.at(1)
    assert (living.status.keep_failures, living.status.keep_error) == (1, "No space left on device")
    living.keeper.failure = None
    living.best.send(*living.model.commit(Write(OWN, "b")))
    await living.at(2)
    assert not living.status.keep_error


async def test_it_goes_to_the_fallback_at_once_and_back_when_the_best_proves_itself(living: World) -> None:
    living.best.away = UpstreamUnavailableError("away")
    living.best.break_off()
    await living.until(lambda: living.status.transport == "fallback")
    await living.live()
    living.best.away = None
    await living.until(lambda: living.best.followed)
    await anyio.sleep(0.02)
    assert living.fallback.followed
    living.model.commit(Write(OWN, "a"))
    living.best.send(living.model.heartbeat())
    await living.at(1)
    living.best.send(living.model.heartbeat())
    await living.until(lambda: living.status.transport == "best" and not living.fallback.followed)
    assert living.status.state is State.LIVE


async def test_an_open_connection_that_hears_nothing_is_left(living: World) -> None:
    state = ScopeState()
    living.best.send(Heartbeat(0, state, state, state, 0.01))
    living.best.away = UpstreamUnavailableError("away")
    await living.until(lambda: living.status.transport == "fallback")
    assert "silent" in living.status.last_error


async def test_a_refused_feed_is_tried_slowly(world: World) -> None:
    world.best.away = UpstreamRefusedError("401")
    async with running(world.synchronizer.run):
        await world.until(lambda: world.status.transport == "fallback")
        world.best.away = None
        await anyio.sleep(0.1)
    assert world.best.entered == 0


async def test_a_mute_best_feed_does_not_keep_us_from_the_fallback(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failover.Failover.__init__, "__kwdefaults__", {"grace": 0.05})
    world = World()
    async with running(world.synchronizer.run):
        await world.until(lambda: world.fallback.followed)
        assert world.best.followed
        world.fallback.send(world.model.heartbeat())
        await world.until(lambda: world.status.transport == "fallback")


async def test_too_new_messages_lead_to_polling(living: World) -> None:
    living.fallback.away = UpstreamUnavailableError("away")
    living.best.send_raw(b'{"schema":9}')
    await living.until(lambda: not living.status.connected)
    assert "schema 9" in living.status.schema_error
    for revision in (1, 2):
        living.model.commit(Write(OWN, "a"))
        await living.at(revision)
    assert living.status.state is State.STALE


async def test_reports_follow_changes_at_once_and_failures_disturb_nothing(living: World) -> None:
    reporter = Reporter(living.source, living.store, living.status, Identity("i-1", "1", {"zone": "a"}))
    async with running(reporter.run):
        await living.until(lambda: bool(living.source.reports))
        living.best.send(*living.model.commit(Write(OWN, "a")))
        await living.until(lambda: living.source.reports[-1].revisions.latest == 1)
        assert (living.source.reports[-1].state, living.source.reports[-1].transport) == ("live", "best")
        count = len(living.source.reports)
        await living.until(lambda: len(living.source.reports) > count)
        living.source.away = UpstreamUnavailableError("away")
        await anyio.sleep(0.3)
        assert living.store.current.revision == 1


async def test_a_change_that_is_not_understood_is_told_of_at_once_with_the_clock(
    living: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporter_module, "SPREAD_SHARE", 100.0)
    monkeypatch.setattr(reporter_module, "GAP", 0.0)
    skew = Skew(ManualClock())
    skew.measured(skew.begin(), 1_767_225_600_000)
    reporter = Reporter(living.source, living.store, living.status, Identity("i-1", "1"), skew=skew)
    async with running(reporter.run):
        entry = Entry("a", "hologram", b"1", 1, 5)
        living.store.swap(following(living.store.current, 5, {"a": entry}))
        await living.until(lambda: bool(living.source.reports))
    report = living.source.reports[0]
    assert [(each.key, each.revision) for each in report.unsupported] == [("a", 5)]
    assert report.clock_skew is not None
    assert report.clock_skew.seconds == pytest.approx(1_000, abs=0.01)


async def test_reads_are_told_once_and_kept_while_nobody_takes_them(living: World) -> None:
    usage = Usage()
    reporter = Reporter(living.source, living.store, living.status, Identity("i-1", "1"), usage=usage)
    usage.keys["a"] += 2
    living.source.away = UpstreamUnavailableError("away")
    async with running(reporter.run):
        await living.until(lambda: living.source.refused > 0)
        assert living.source.reports == []
        living.source.away = None
        await living.until(lambda: len(living.source.reports) > 1)
    told = [each.reads.keys for each in living.source.reports if each.reads is not None]
    assert (told[0], sum(each.get("a", 0) for each in told)) == ({"a": 2}, 2)


async def test_a_forced_fetch_that_is_given_up_is_made_good(living: World) -> None:
    living.source.gate = anyio.Event()
    living.model.commit(Write(OWN, "a"))
    with anyio.move_on_after(0.02):
        await living.synchronizer.sync_now()
    living.source.gate.set()
    await living.at(1)

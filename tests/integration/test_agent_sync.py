"""The agent's synchronizer between a real broker and a control plane's HTTP, while one of them goes and comes back."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from pathlib import Path

import anyio

from agent.snapshot.last_known_good import FileKeeper
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from agent.sync.reporter import Identity, Reporter
from agent.sync.status import State, Status
from agent.sync.synchronizer import Synchronizer
from agent.upstream.amqp import AmqpFeed
from agent.upstream.endpoints import Endpoints, open_session
from agent.upstream.http import HttpSource, SseFeed
from agent.upstream.shown import Shown
from control_plane.domain.errors import UnavailableError
from control_plane.rabbitmq.publisher import RabbitPublisher, open_publisher
from shared.runtime.clock import SystemClock
from shared.runtime.lifecycle import running
from shared.wire.topology import routing_key
from tests.fakes.control_plane import APP, ENVIRONMENT, LINEAGE, ControlPlane, Write
from tests.servers.server import Server


class Agent:
    """A synchronizer over real adapters, and what can be waited for."""

    def __init__(self) -> None:
        self.store, self.status = SnapshotStore(Snapshot.empty(APP, ENVIRONMENT)), Status()

    async def until(self, fact: Callable[[], bool], within: float = 10.0) -> None:
        with anyio.fail_after(within):
            while not fact():
                await anyio.sleep(0.01)

    async def until_live(self, transport: str, revision: int, within: float = 10.0) -> None:
        await self.until(
            lambda: (
                (self.status.state, self.status.transport, self.store.current.revision)
                == (State.LIVE, transport, revision)
            ),
            within,
        )


@asynccontextmanager
async def agent(plane: ControlPlane, directory: Path, amqp_url: str = "") -> AsyncIterator[Agent]:
    made = Agent()
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(open_session())
        keeper = stack.enter_context(closing(FileKeeper(directory, APP, ENVIRONMENT)))
        source = HttpSource(Endpoints([plane.url], Shown("secret"), session), APP, ENVIRONMENT)
        sse = SseFeed(Endpoints([plane.url], Shown("secret"), session), APP, ENVIRONMENT)
        feeds = [AmqpFeed(amqp_url, APP, ENVIRONMENT, "agent-1"), sse] if amqp_url else [sse]
        synchronizer = Synchronizer(
            made.store, feeds, source, keeper, made.status, SystemClock(), patience=0.2, poll_interval=0.3
        )
        reporter = Reporter(source, made.store, made.status, Identity("agent-1", "0.1.0", {"zone": "a"}))
        synchronizer.hydrate()
        async with running(synchronizer.run, reporter.run):
            yield made


class Relay:
    """Publishes what the model commits, and heartbeats, for as long as the broker takes them."""

    def __init__(self, plane: ControlPlane, publisher: RabbitPublisher) -> None:
        self._plane, self._publisher = plane, publisher
        self.mute = False

    async def commit(self, *writes: Write) -> int:
        for message in self._plane.model.commit(*writes):
            await self._publish(routing_key(message.scope), message.encode())
            await self._plane.send(message)
        return self._plane.model.revision

    async def heartbeats(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        task_status.started()
        while True:
            heartbeat = self._plane.model.heartbeat(self._plane.interval)
            if not self.mute:
                await self._publish(routing_key(LINEAGE.environment), heartbeat.encode())
            await anyio.sleep(self._plane.interval)

    async def _publish(self, key: str, body: bytes) -> None:
        with suppress(UnavailableError):
            await self._publisher.publish(key, body)


async def test_it_falls_back_to_the_event_stream_when_the_broker_stops_and_comes_back_by_itself(
    own_rabbitmq: Server, tmp_path: Path
) -> None:
    async with (
        ControlPlane().running() as plane,
        open_publisher(own_rabbitmq.url) as publisher,
        agent(plane, tmp_path, own_rabbitmq.url) as made,
    ):
        relay = Relay(plane, publisher)
        async with running(relay.heartbeats):
            await made.until_live("amqp", await relay.commit(Write(LINEAGE.app, "key")))
            assert not plane.followers
            await own_rabbitmq.stop()
            await made.until_live("sse", await relay.commit(Write(LINEAGE.app, "key", b"2")), within=5)
            await own_rabbitmq.start()
            await made.until(lambda: made.status.transport == "amqp", within=30)
            await made.until_live("amqp", await relay.commit(Write(LINEAGE.app, "key", b"3")))
            await made.until(lambda: not plane.followers)


async def test_a_broker_that_says_nothing_is_as_good_as_away(amqp_url: str, tmp_path: Path) -> None:
    async with (
        ControlPlane(interval=0.1).running() as plane,
        open_publisher(amqp_url) as publisher,
        agent(plane, tmp_path, amqp_url) as made,
    ):
        relay = Relay(plane, publisher)
        async with running(relay.heartbeats):
            await made.until(lambda: made.status.transport == "amqp" and made.status.state is State.LIVE)
            await relay.commit(Write(LINEAGE.app, "key"))
            relay.mute = True
            await made.until(lambda: made.status.transport == "sse", within=8)
            relay.mute = False
            await made.until(lambda: made.status.transport == "amqp", within=20)


async def test_a_change_over_the_broker_is_visible_in_milliseconds_with_all_its_scopes(
    amqp_url: str, tmp_path: Path
) -> None:
    async with (
        ControlPlane().running() as plane,
        open_publisher(amqp_url) as publisher,
        agent(plane, tmp_path, amqp_url) as made,
    ):
        relay = Relay(plane, publisher)
        async with running(relay.heartbeats):
            await made.until(lambda: made.status.transport == "amqp" and made.status.state is State.LIVE)
            revision = await relay.commit(*(Write(scope, f"key{scope}") for scope in LINEAGE))
            await made.until_live("amqp", revision)
            assert tuple(made.store.current.revisions) == (revision, revision, revision)
            assert len(made.store.current.effective) == 3


async def test_sensitive_values_are_fetched(amqp_url: str, tmp_path: Path) -> None:
    async with (
        ControlPlane().running() as plane,
        open_publisher(amqp_url) as publisher,
        agent(plane, tmp_path, amqp_url) as made,
    ):
        relay = Relay(plane, publisher)
        async with running(relay.heartbeats):
            await made.until(lambda: made.status.transport == "amqp" and made.status.state is State.LIVE)
            revision = await relay.commit(Write(LINEAGE.environment, "password", b'"hunter2"', sensitive=True))
            await made.until_live("amqp", revision)
            assert made.store.current.effective["password"].entry.value == b'"hunter2"'


async def test_it_polls_when_the_event_stream_is_blocked(tmp_path: Path) -> None:
    async with ControlPlane().running() as plane:
        plane.watchable = False
        async with agent(plane, tmp_path) as made:
            for value in (b"1", b"2", b"3"):
                revision = await plane.commit(Write(LINEAGE.app, "key", value))
                await made.until(lambda revision=revision: made.store.current.revision == revision)  # type: ignore[misc]
            assert made.status.state is State.STALE
            assert made.status.staleness(SystemClock().monotonic()) is not None


async def test_without_a_control_plane_it_serves_the_last_known_good_and_catches_up_later(tmp_path: Path) -> None:
    async with ControlPlane().running() as plane:
        revision = await plane.commit(Write(LINEAGE.app, "key"))
        async with agent(plane, tmp_path) as made:
            await made.until_live("sse", revision)
        port = int(plane.url.rpartition(":")[2])
        model = plane.model
    plane = ControlPlane()
    plane.model, plane.url = model, f"http://127.0.0.1:{port}"
    async with agent(plane, tmp_path) as made:
        assert (made.store.ready, made.status.state, made.store.current.revision) == (True, State.STALE, revision)
        await made.until(lambda: made.status.reconnects > 0)
        model.commit(Write(LINEAGE.app, "key", b"2"))
        async with plane.running(port):
            await made.until_live("sse", revision + 1, within=20)


async def test_it_reports_what_it_applied_and_what_it_rejected(tmp_path: Path) -> None:
    async with ControlPlane().running() as plane, agent(plane, tmp_path) as made:
        revision = await plane.commit(Write(LINEAGE.app, "key"))
        await made.until_live("sse", revision)
        await made.until(lambda: any(each.revisions.latest == revision for each in plane.reports))
        assert (plane.reports[-1].instance, plane.reports[-1].labels) == ("agent-1", {"zone": "a"})
        good = made.store.current
        plane.spoil = b'{"schema":1,"nonsense":true}'
        plane.model.commit(Write(LINEAGE.app, "key", b"2"))
        await made.until(lambda: any(each.rejection for each in plane.reports))
        assert made.store.current == good
        plane.spoil = None
        await made.until_live("sse", revision + 1)
        await made.until(lambda: plane.reports[-1].rejection is None and plane.reports[-1].revisions.latest > revision)

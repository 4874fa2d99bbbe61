"""Every feed keeps the same promises: scripted in memory, the event stream, and the broker."""

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Protocol

import aio_pika
import anyio
import pytest
from anyio import to_thread

from agent.ports import Feed, UpstreamRefusedError, UpstreamUnavailableError
from agent.upstream import amqp
from agent.upstream.amqp import AmqpFeed
from agent.upstream.endpoints import Endpoints, open_session
from agent.upstream.http import SseFeed
from agent.upstream.shown import Shown
from shared.domain.scope import Revisions, Scope
from shared.wire.messages import ChangeMessage, Heartbeat, MalformedMessageError, Message, UnsupportedSchemaError
from shared.wire.topology import CHANGES_EXCHANGE, SCHEMA_HEADER, routing_key
from tests.fakes.control_plane import APP, ENVIRONMENT, LINEAGE, ControlPlane, Model, Write
from tests.fakes.fault_proxy import FaultProxy, fault_proxy
from tests.fakes.upstream import FakeFeed
from tests.servers.server import free_port

NOTHING = Revisions()
TOKEN = "secret"


class Line(Protocol):
    """A feed and the other end of it."""

    feed: Feed

    async def send(self, *messages: Message) -> None: ...

    async def send_raw(self, body: bytes) -> None: ...

    async def go_away(self) -> None: ...

    async def come_back(self) -> None: ...

    async def fall_silent(self) -> None: ...


class FakeLine:
    def __init__(self) -> None:
        self.feed = self._fake = FakeFeed()

    async def send(self, *messages: Message) -> None:
        self._fake.send(*messages)

    async def send_raw(self, body: bytes) -> None:
        self._fake.send_raw(body)

    async def go_away(self) -> None:
        self._fake.away = UpstreamUnavailableError("away")
        self._fake.break_off()

    async def come_back(self) -> None:
        self._fake.away = None

    async def fall_silent(self) -> None:
        pass


class SseLine:
    def __init__(self, feed: Feed, plane: ControlPlane, proxy: FaultProxy) -> None:
        self.feed, self._plane, self._proxy = feed, plane, proxy

    async def _follower(self) -> None:
        while not self._plane.followers:
            await anyio.sleep(0.005)

    async def send(self, *messages: Message) -> None:
        await self._follower()
        await self._plane.send(*messages)

    async def send_raw(self, body: bytes) -> None:
        await self._follower()
        await self._plane.send_raw("change", body)

    async def go_away(self) -> None:
        self._proxy.refuse()

    async def come_back(self) -> None:
        self._proxy.heal()

    async def fall_silent(self) -> None:
        self._proxy.blackhole()


class AmqpLine:
    def __init__(self, feed: Feed, exchange: aio_pika.abc.AbstractExchange, proxy: FaultProxy) -> None:
        self.feed, self._exchange, self._proxy = feed, exchange, proxy

    async def send(self, *messages: Message) -> None:
        for each in messages:
            scope = each.scope if isinstance(each, ChangeMessage) else LINEAGE.environment
            await self._publish(scope, each.encode())

    async def send_raw(self, body: bytes) -> None:
        await self._publish(LINEAGE.environment, body)

    async def _publish(self, scope: Scope, body: bytes) -> None:
        message = aio_pika.Message(body, headers={SCHEMA_HEADER: 1})
        await self._exchange.publish(message, routing_key(scope), mandatory=False)

    async def go_away(self) -> None:
        self._proxy.refuse()

    async def come_back(self) -> None:
        self._proxy.heal()

    async def fall_silent(self) -> None:
        self._proxy.blackhole()


class FeedContract:
    """What whoever follows may rely on. Heartbeats of the other end may come in between."""

    @pytest.fixture
    async def line(self) -> Line:
        raise NotImplementedError

    async def test_messages_arrive_in_order_and_as_they_were_sent(self, line: Line) -> None:
        model = Model()
        sent = [each for number in range(200) for each in model.commit(Write(LINEAGE[number % 3], f"key{number}"))]
        async with line.feed.follow(NOTHING) as messages:
            await line.send(*sent, model.heartbeat())
            assert await take(messages, len(sent)) == sent

    async def test_a_heartbeat_arrives(self, line: Line) -> None:
        heartbeat = Model().heartbeat(7.5)
        async with line.feed.follow(NOTHING) as messages:
            await line.send(heartbeat)
            with anyio.fail_after(5):
                while await anext(messages) != heartbeat:
                    pass

    async def test_entering_fails_while_the_other_side_is_away_and_works_when_it_is_back(self, line: Line) -> None:
        await line.go_away()
        for _ in range(2):
            with pytest.raises(UpstreamUnavailableError), anyio.fail_after(8):
                async with line.feed.follow(NOTHING):
                    pass
        await line.come_back()
        model = Model()
        async with line.feed.follow(NOTHING) as messages:
            await line.send(*model.commit(Write(LINEAGE.app, "key")))
            assert await take(messages, 1) == list(model.changes[0])

    async def test_breaking_off_is_raised(self, line: Line) -> None:
        model = Model()
        async with line.feed.follow(NOTHING) as messages:
            await line.send(*model.commit(Write(LINEAGE.app, "key")))
            await take(messages, 1)
            await line.go_away()
            with pytest.raises(UpstreamUnavailableError):
                await take(messages, 1)

    async def test_silence_does_not_keep_the_follower_from_leaving(self, line: Line) -> None:
        async with line.feed.follow(NOTHING) as messages:
            await line.fall_silent()
            with anyio.move_on_after(0.3) as patience:
                await take(messages, 1)
            assert patience.cancelled_caught

    async def test_a_message_of_another_schema_is_told_apart(self, line: Line) -> None:
        async with line.feed.follow(NOTHING) as messages:
            await line.send_raw(b'{"schema":99,"type":"change"}')
            with pytest.raises(UnsupportedSchemaError):
                await take(messages, 1)

    async def test_a_message_that_cannot_be_read_is_told_apart(self, line: Line) -> None:
        async with line.feed.follow(NOTHING) as messages:
            await line.send_raw(b'{"schema":1')
            with pytest.raises(MalformedMessageError):
                await take(messages, 1)

    async def test_it_can_be_followed_again_at_once(self, line: Line) -> None:
        model = Model()
        for number in range(3):
            async with line.feed.follow(NOTHING) as messages:
                await line.send(*model.commit(Write(LINEAGE.global_, "key")))
                assert await take(messages, 1) == list(model.changes[number])

    async def test_it_can_be_followed_twice_at_the_same_time(self, line: Line) -> None:
        model = Model()
        async with line.feed.follow(NOTHING) as one:
            await line.send(*model.commit(Write(LINEAGE.global_, "key")))
            assert await take(one, 1) == list(model.changes[0])
            async with line.feed.follow(NOTHING):
                pass


async def take(messages: AsyncIterator[Message], count: int) -> list[Message]:
    """The next changes; heartbeats are passed over."""
    found: list[Message] = []
    with anyio.fail_after(10):
        while len(found) < count:
            message = await anext(messages)
            if not isinstance(message, Heartbeat):
                found.append(message)
    return found


class TestFake(FeedContract):
    @pytest.fixture
    async def line(self) -> Line:
        return FakeLine()


@asynccontextmanager
async def sse_line(*, token: str = TOKEN) -> AsyncIterator[SseLine]:
    async with ControlPlane().running() as plane, fault_proxy(plane.url) as proxy, open_session() as session:
        feed = SseFeed(Endpoints([proxy.url(plane.url)], Shown(token), session), APP, ENVIRONMENT)
        yield SseLine(feed, plane, proxy)


class TestSse(FeedContract):
    @pytest.fixture
    async def line(self) -> AsyncIterator[Line]:
        async with sse_line() as line:
            yield line

    async def test_a_wrong_token_is_a_refusal(self) -> None:
        async with sse_line(token="wrong") as line:
            with pytest.raises(UpstreamRefusedError, match="401"):
                async with line.feed.follow(NOTHING):
                    pass

    async def test_the_other_replica_is_used_when_one_is_away(self) -> None:
        async with ControlPlane().running() as plane, open_session() as session:
            feed = SseFeed(Endpoints(["http://127.0.0.1:9", plane.url], Shown("secret"), session), APP, ENVIRONMENT)
            for _ in range(3):
                async with feed.follow(NOTHING) as messages:
                    assert isinstance(await anext(messages), Heartbeat)

    async def test_an_answer_that_is_no_event_stream_is_unavailable(self) -> None:
        async with sse_line() as line:
            line._plane.status, line._plane.retry_after = 503, 7
            with pytest.raises(UpstreamUnavailableError) as raised:
                async with line.feed.follow(NOTHING):
                    pass
        assert raised.value.retry_after == 7.0


@asynccontextmanager
async def amqp_line(url: str) -> AsyncIterator[AmqpLine]:
    async with fault_proxy(url) as proxy, await aio_pika.connect(url) as connection:
        channel = await connection.channel(on_return_raises=True)
        exchange = await channel.declare_exchange(CHANGES_EXCHANGE, "topic", durable=True)
        yield AmqpLine(AmqpFeed(proxy.url(url), APP, ENVIRONMENT, "agent-1"), exchange, proxy)


class TestAmqp(FeedContract):
    @pytest.fixture
    async def line(self, amqp_url: str) -> AsyncIterator[Line]:
        async with amqp_line(amqp_url) as line:
            yield line

    async def test_what_concerns_others_does_not_arrive(self, amqp_url: str) -> None:
        model = Model()
        others = [Scope("other"), Scope(APP, "staging"), Scope("other", ENVIRONMENT)]
        async with amqp_line(amqp_url) as line, line.feed.follow(NOTHING) as messages:
            for scope in [*others, LINEAGE.environment]:
                await line.send(*model.commit(Write(scope, "key")))
            assert await take(messages, 1) == list(model.changes[-1])

    async def test_a_wrong_password_is_a_refusal_and_is_not_told(self, amqp_url: str) -> None:
        login, _, rest = amqp_url.rpartition("@")
        feed = AmqpFeed(f"{login}-wrong-hunter2@{rest}", APP, ENVIRONMENT, "agent-1")
        with pytest.raises(UpstreamRefusedError) as raised:
            async with feed.follow(NOTHING):
                pass
        assert "hunter2" not in str(raised.value)

    async def test_a_schema_header_is_enough_to_tell_another_schema(self, amqp_url: str) -> None:
        async with amqp_line(amqp_url) as line, line.feed.follow(NOTHING) as messages:
            message = aio_pika.Message(b"not even json", headers={SCHEMA_HEADER: 2})
            await line._exchange.publish(message, "global")
            with pytest.raises(UnsupportedSchemaError):
                await take(messages, 1)

    async def test_the_queue_is_gone_with_its_follower(self, amqp_url: str) -> None:
        async with amqp_line(amqp_url) as line:
            async with line.feed.follow(NOTHING):
                pass
            message = aio_pika.Message(b"to nobody")
            with anyio.fail_after(5):
                while await delivered(line, message):
                    await anyio.sleep(0.01)

    @pytest.mark.usefixtures("collect_later")
    @pytest.mark.parametrize("fault", ["refused", "hung up on", "silent", "given up"])
    async def test_a_connection_that_never_came_about_leaves_nothing_behind(
        self, amqp_url: str, monkeypatch: pytest.MonkeyPatch, fault: str
    ) -> None:
        monkeypatch.setattr(amqp, "CONNECT_TIMEOUT", 0.2)
        async with fault_proxy(amqp_url) as proxy:
            if fault == "hung up on":
                proxy.refuse()
            elif fault != "refused":
                proxy.blackhole()
            url = f"amqp://127.0.0.1:{free_port()}/" if fault == "refused" else proxy.url(amqp_url)
            with anyio.move_on_after(0.1 if fault == "given up" else 5) as patience:
                with pytest.raises(UpstreamUnavailableError):
                    async with AmqpFeed(url, APP, ENVIRONMENT, "agent-1").follow(NOTHING):
                        pass
            assert patience.cancelled_caught == (fault == "given up")
            # Where the collector runs is chance: in a thread of ours, what still had to be closed could not be.
            await to_thread.run_sync(gc.collect)


@pytest.fixture
def collect_later() -> Iterator[None]:
    """Leave garbage to the test."""
    gc.disable()
    yield
    gc.enable()


async def delivered(line: AmqpLine, message: aio_pika.Message) -> bool:
    """Whether there is a queue that takes a message for everybody."""
    try:
        await line._exchange.publish(message, "global", mandatory=True)
    except aio_pika.exceptions.DeliveryError:
        return False
    return True

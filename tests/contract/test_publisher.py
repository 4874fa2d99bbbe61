"""What every publisher does: a recording one, and RabbitMQ with a queue bound as an agent's is."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import aio_pika
import anyio
import pytest
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue

from control_plane.domain.errors import UnavailableError
from control_plane.ports.outbox import Publisher
from control_plane.rabbitmq.probe import RabbitProbe
from control_plane.rabbitmq.publisher import RabbitPublisher, open_publisher
from shared.wire import topology
from tests.fakes.publisher import RecordingPublisher
from tests.servers.server import Server

Received = Callable[[int], Awaitable[list[tuple[str, bytes]]]]


@dataclass
class Broker:
    """A publisher, and what an agent of billing/prod has received when it has received that many."""

    publisher: Publisher
    received: Received


async def bind(connection: aio_pika.abc.AbstractConnection) -> AbstractQueue:
    channel = await connection.channel()
    exchange = await channel.declare_exchange(topology.CHANGES_EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True)
    queue = await channel.declare_queue(topology.agent_queue("billing", "prod", "i1"), exclusive=True, auto_delete=True)
    for key in topology.binding_keys("billing", "prod"):
        await queue.bind(exchange, key)
    return queue


async def take(queue: AbstractQueue, count: int) -> list[AbstractIncomingMessage]:
    messages: list[AbstractIncomingMessage] = []
    with anyio.fail_after(10):
        async with queue.iterator(no_ack=True) as incoming:
            while len(messages) < count:
                messages.append(await anext(incoming))
    return messages


@pytest.fixture(params=["recording", "rabbitmq"])
async def broker(request: pytest.FixtureRequest, amqp_url: str) -> AsyncIterator[Broker]:
    if request.param == "recording":
        publisher = RecordingPublisher()
        keys = topology.binding_keys("billing", "prod")

        async def recorded(count: int) -> list[tuple[str, bytes]]:
            received = [each for each in publisher.sent if each[0] in keys]
            assert len(received) == count
            return received

        yield Broker(publisher, recorded)
        return
    async with open_publisher(amqp_url) as rabbit, await aio_pika.connect(amqp_url) as connection:
        queue = await bind(connection)

        async def received(count: int) -> list[tuple[str, bytes]]:
            return [(each.routing_key or "", each.body) for each in await take(queue, count)]

        yield Broker(rabbit, received)


async def test_a_batch_arrives_in_order_and_once_each(broker: Broker) -> None:
    keys = topology.binding_keys("billing", "prod")
    batch = [(keys[number % 3], b"%d" % number) for number in range(500)]
    for start in range(0, 500, 100):
        await broker.publisher.publish_all(batch[start : start + 100])
    await broker.publisher.publish("global", b"the last one")
    assert await broker.received(501) == [*batch, ("global", b"the last one")]


async def test_an_agent_gets_only_what_it_is_bound_to(broker: Broker) -> None:
    await broker.publisher.publish_all(
        [("app.shop", b"1"), ("env.billing.test", b"2"), ("app.billing", b"3"), ("env.billing.prod", b"4")]
    )
    assert await broker.received(2) == [("app.billing", b"3"), ("env.billing.prod", b"4")]


async def test_an_empty_batch_is_published_at_once(broker: Broker) -> None:
    await broker.publisher.publish_all([])
    assert await broker.received(0) == []


async def test_messages_say_what_they_are(amqp_url: str) -> None:
    async with open_publisher(amqp_url) as publisher, await aio_pika.connect(amqp_url) as connection:
        queue = await bind(connection)
        await publisher.publish("global", b"{}")
        await publisher.publish("global", b"{}", persistent=False)
        change, heartbeat = await take(queue, 2)
        assert change.content_type == heartbeat.content_type == "application/json"
        assert change.headers == {topology.SCHEMA_HEADER: 1}
        assert change.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
        assert heartbeat.delivery_mode == aio_pika.DeliveryMode.NOT_PERSISTENT


async def test_the_broker_may_come_later_and_may_be_restarted(own_rabbitmq: Server) -> None:
    await own_rabbitmq.stop()
    async with open_publisher(own_rabbitmq.url) as publisher:
        with pytest.raises(UnavailableError, match="rabbitmq"):
            await publisher.publish("global", b"1")
        assert not (await RabbitProbe(publisher).probe()).ok
        for restart in range(2):
            await own_rabbitmq.start()
            async with await aio_pika.connect(own_rabbitmq.url) as connection:
                queue = await bind(connection)
                await publish_until_confirmed(publisher, b"%d" % restart)
                assert [each.body for each in await take(queue, 1)] == [b"%d" % restart]
            assert (await RabbitProbe(publisher).probe()).ok
            await own_rabbitmq.stop()
            with pytest.raises(UnavailableError, match="rabbitmq"):
                await publisher.publish("global", b"lost")


async def publish_until_confirmed(publisher: RabbitPublisher, body: bytes) -> None:
    with anyio.fail_after(20):
        while True:
            try:
                await publisher.publish("global", body)
            except UnavailableError:
                await anyio.sleep(0.05)
            else:
                return


async def test_a_publish_that_was_given_up_does_not_spoil_the_next(amqp_url: str) -> None:
    async with open_publisher(amqp_url) as publisher:
        for _ in range(3):
            with anyio.move_on_after(0.001):
                await publisher.publish_all([("global", b"x" * 10_000)] * 200)
        async with await aio_pika.connect(amqp_url) as connection:
            queue = await bind(connection)
            await publisher.publish("global", b"next")
            assert (await take(queue, 1))[-1].body in {b"next", b"x" * 10_000}

"""The servers that the tests stand on: there, apart from each other, and as mortal as the tests want them."""

import aio_pika
import asyncpg
import pytest
import redis.asyncio
from redis.exceptions import ConnectionError as RedisConnectionError

from shared.wire.topology import CHANGES_EXCHANGE
from tests.rig.amqp import connected
from tests.servers.server import Server


@pytest.mark.parametrize("turn", [1, 2])
async def test_every_test_has_an_empty_database(postgres_url: str, turn: int) -> None:
    connection = await asyncpg.connect(postgres_url)
    try:
        await connection.execute("create table mine (turn int)")
        await connection.execute("insert into mine values ($1)", turn)
        assert await connection.fetchval("select array_agg(turn) from mine") == [turn]
    finally:
        await connection.close()


@pytest.mark.parametrize("turn", [1, 2])
async def test_every_test_has_an_empty_redis(redis_url: str, turn: int) -> None:
    async with redis.asyncio.from_url(redis_url) as client:
        assert await client.set("mine", turn, nx=True)


@pytest.mark.parametrize("kind", [aio_pika.ExchangeType.TOPIC, aio_pika.ExchangeType.FANOUT])
async def test_every_test_has_a_broker_without_our_exchange(amqp_url: str, kind: aio_pika.ExchangeType) -> None:
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        await channel.declare_exchange(CHANGES_EXCHANGE, kind, durable=True)


async def test_a_killed_postgres_comes_back_with_what_was_committed(own_postgres: Server) -> None:
    connection = await asyncpg.connect(own_postgres.url)
    await connection.execute("create table kept (at int)")
    await connection.execute("insert into kept values (1)")
    await own_postgres.kill()
    with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)):
        await connection.execute("select 1")
    await own_postgres.start()
    connection = await asyncpg.connect(own_postgres.url)
    try:
        assert await connection.fetchval("select count(*) from kept") == 1
    finally:
        await connection.close()


async def test_a_stopped_redis_refuses_and_comes_back_on_its_port(own_redis: Server) -> None:
    await own_redis.stop()
    async with redis.asyncio.from_url(own_redis.url) as client:
        with pytest.raises(RedisConnectionError):
            await client.ping()
        await own_redis.start()
        assert await client.ping()


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_an_ended_rabbitmq_comes_back_on_its_port_with_its_exchanges(own_rabbitmq: Server, end: str) -> None:
    async with await aio_pika.connect(own_rabbitmq.url) as connection:
        channel = await connection.channel()
        await channel.declare_exchange(CHANGES_EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True)
    await getattr(own_rabbitmq, end)()
    with pytest.raises(OSError, match=r"refused|Connect"):
        await connected(own_rabbitmq.url)
    await own_rabbitmq.start()
    async with await aio_pika.connect(own_rabbitmq.url) as connection:
        channel = await connection.channel()
        await channel.get_exchange(CHANGES_EXCHANGE)

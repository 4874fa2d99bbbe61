"""From a commit in PostgreSQL to a queue in RabbitMQ: nothing lost, in order, whatever dies on the way."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import aio_pika
import anyio
import asyncpg
import pytest
from aio_pika.abc import AbstractQueue
from anyio.abc import TaskGroup, TaskStatus

from control_plane.domain.errors import UnavailableError
from control_plane.embedded.memory import MemoryNotices
from control_plane.metrics import Metrics
from control_plane.ports.outbox import Publisher
from control_plane.postgres.changes import PostgresChanges
from control_plane.postgres.leadership import PostgresLeadership
from control_plane.postgres.pool import open_pool
from control_plane.postgres.registry import PostgresRegistry
from control_plane.rabbitmq.publisher import RabbitPublisher, open_publisher
from control_plane.services.feed import Feed
from control_plane.workers.relay import Relay
from shared.domain.scope import Lineage, Scope
from shared.runtime.clock import SystemClock
from shared.runtime.lifecycle import running
from shared.wire import topology
from shared.wire.messages import ChangeMessage, Heartbeat, Message, decode_message
from tests.fakes.drafts import put
from tests.rig.seals import seals_over
from tests.servers.server import Server
from tests.store import OLGA

GLOBAL, APP, PROD = Lineage.of("billing", "prod")
IDLE = 3600.0


class Writer:
    """Commits changes as a replica does, and remembers what was committed."""

    def __init__(self, pool: asyncpg.Pool, notices: MemoryNotices) -> None:
        self.changes, self._notices = PostgresChanges(pool, seals_over(pool)), notices
        self.committed: list[tuple[int, str]] = []

    async def commit(self, *scopes: Scope) -> None:
        committed = await self.changes.commit(put(*scopes))
        self.committed += [(each.revision, str(each.scope)) for each in committed.messages]
        await self._notices.ring(committed.revision)

    async def commit_many(self, count: int) -> None:
        for number in range(count):
            await self.commit(*((GLOBAL,), (APP, PROD), (PROD,))[number % 3])


class Installation:
    """One database, one bell, and any number of replicas that relay."""

    def __init__(self, dsn: str, pool: asyncpg.Pool) -> None:
        self._dsn, self._pool = dsn, pool
        self.notices = MemoryNotices()
        self.writer = Writer(pool, self.notices)

    def relay(self, publisher: Publisher, metrics: Metrics | None = None, heartbeat_interval: float = IDLE) -> Relay:
        metrics = metrics or Metrics()
        return Relay(
            PostgresLeadership(self._dsn, "relay"),
            publisher,
            self.notices,
            Feed(PostgresChanges(self._pool, seals_over(self._pool)), metrics, SystemClock()),
            PostgresRegistry(self._pool),
            metrics,
            heartbeat_interval,
        )


@pytest.fixture
async def installation(migrated_url: str) -> AsyncIterator[Installation]:
    async with open_pool(migrated_url) as pool:
        registry = PostgresRegistry(pool)
        await registry.create_app("billing", "", OLGA)
        await registry.create_environment("billing", "prod", OLGA)
        yield Installation(migrated_url, pool)


@asynccontextmanager
async def lasting_queue(url: str) -> AsyncIterator[AbstractQueue]:
    """Bound as an agent's, but outlives the broker, so that nothing published can escape it."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(topology.CHANGES_EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True)
        queue = await channel.declare_queue("lasting", durable=True)
        for key in topology.binding_keys("billing", "prod"):
            await queue.bind(exchange, key)
        yield queue


async def take(queue: AbstractQueue, last: int) -> list[ChangeMessage]:
    """The changes up to the first one of revision `last`. Heartbeats between them are left out."""
    changes: list[ChangeMessage] = []
    with anyio.fail_after(20):
        async with queue.iterator(no_ack=True) as incoming:
            while not changes or changes[-1].revision < last:
                message = decode_message((await anext(incoming)).body)
                if isinstance(message, ChangeMessage):
                    changes.append(message)
    return changes


def first_times(messages: Sequence[Message]) -> list[tuple[int, str]]:
    """Each change the first time that it came."""
    changes = [(each.revision, str(each.scope)) for each in messages if isinstance(each, ChangeMessage)]
    return list(dict.fromkeys(changes))


async def test_every_commit_arrives_once_and_in_order(installation: Installation, amqp_url: str) -> None:
    metrics = Metrics()
    async with lasting_queue(amqp_url) as queue, open_publisher(amqp_url) as publisher:
        await installation.writer.commit(GLOBAL)
        async with running(installation.relay(publisher, metrics).run):
            async with anyio.create_task_group() as writers:
                for _ in range(8):
                    writers.start_soon(installation.writer.commit_many, 25)
            await installation.writer.commit(GLOBAL)
            messages = await take(queue, 202)
    assert first_times(messages) == sorted(installation.writer.committed)
    assert len(messages) == len(installation.writer.committed)
    published = metrics.registry.get_sample_value("trimtab_relay_published_total")
    assert published == len(messages)


async def test_heartbeats_follow_the_changes_that_they_tell_of(installation: Installation, amqp_url: str) -> None:
    async with lasting_queue(amqp_url) as queue, open_publisher(amqp_url) as publisher:
        await installation.writer.commit(GLOBAL)
        async with running(installation.relay(publisher, heartbeat_interval=0.05).run):
            await installation.writer.commit(PROD)
            seen: list[Message] = []
            with anyio.fail_after(10):
                async with queue.iterator(no_ack=True) as incoming:
                    while not seen or not isinstance(seen[-1], Heartbeat) or seen[-1].revision < 2:
                        seen.append(decode_message((await anext(incoming)).body))
    last = seen[-1]
    assert isinstance(last, Heartbeat)
    assert first_times(seen) == [(1, "global"), (2, "env.billing.prod")]
    states = {each.scope: (each.revision, each.digest) for each in seen if isinstance(each, ChangeMessage)}
    assert (last.global_.revision, last.global_.digest) == states[GLOBAL]
    assert (last.environment.revision, last.environment.digest) == states[PROD]


class Crashing:
    """Lets the broker confirm a batch and ends the relay before it can mark it."""

    def __init__(self, publisher: RabbitPublisher, crash: anyio.CancelScope) -> None:
        self._publisher, self._crash = publisher, crash

    async def publish(self, routing_key: str, body: bytes, *, persistent: bool = True) -> None:
        await self.publish_all([(routing_key, body)], persistent=persistent)

    async def publish_all(self, batch: Sequence[tuple[str, bytes]], *, persistent: bool = True) -> None:
        await self._publisher.publish_all(batch, persistent=persistent)
        self._crash.cancel()


async def test_a_crash_between_publish_and_mark_loses_nothing(installation: Installation, amqp_url: str) -> None:
    await installation.writer.commit_many(10)
    async with lasting_queue(amqp_url) as queue, open_publisher(amqp_url) as publisher:
        with anyio.CancelScope() as crash:
            await installation.relay(Crashing(publisher, crash)).run()
        async with running(installation.relay(publisher).run):
            await installation.writer.commit(GLOBAL)
            messages = await take(queue, 11)
    assert first_times(messages) == installation.writer.committed
    assert len(messages) > len(installation.writer.committed)


async def test_a_broker_that_is_killed_gets_everything_later(installation: Installation, own_rabbitmq: Server) -> None:
    async with AsyncExitStack() as stack:
        publisher = await stack.enter_async_context(open_publisher(own_rabbitmq.url))
        async with lasting_queue(own_rabbitmq.url) as queue:
            await queue.purge()
        await stack.enter_async_context(running(installation.relay(publisher).run))
        await installation.writer.commit_many(20)
        await own_rabbitmq.kill()
        await installation.writer.commit_many(20)
        await own_rabbitmq.start()
        await installation.writer.commit_many(5)
        await installation.writer.commit(GLOBAL)
        async with lasting_queue(own_rabbitmq.url) as queue:
            messages = await take(queue, 46)
            await queue.delete(if_unused=False, if_empty=False)
    assert first_times(messages) == installation.writer.committed


async def test_another_replica_leads_within_two_seconds(installation: Installation, amqp_url: str) -> None:
    async with (
        lasting_queue(amqp_url) as queue,
        open_publisher(amqp_url) as one,
        open_publisher(amqp_url) as two,
        anyio.create_task_group() as group,
    ):
        first = await start(group, installation.relay(one))
        await installation.writer.commit(GLOBAL)
        await take(queue, 1)
        await start(group, installation.relay(two))
        first.cancel()
        with anyio.fail_after(2):
            await installation.writer.commit(GLOBAL)
            await take(queue, 2)
        group.cancel_scope.cancel()


async def start(group: TaskGroup, relay: Relay) -> anyio.CancelScope:
    """Run a relay in a scope of its own."""
    scope = anyio.CancelScope()

    async def run(*, task_status: TaskStatus[None]) -> None:
        with scope:
            await relay.run(task_status=task_status)

    await group.start(run)
    return scope


async def test_a_leader_whose_connection_is_cut_competes_again(
    installation: Installation, amqp_url: str, migrated_url: str
) -> None:
    async with (
        lasting_queue(amqp_url) as queue,
        open_publisher(amqp_url) as publisher,
        running(installation.relay(publisher).run, installation.relay(publisher).run),
    ):
        for number in range(1, 4):
            await installation.writer.commit(GLOBAL)
            await take(queue, number)
            await cut_leader(migrated_url)
        await installation.writer.commit(GLOBAL)
        messages = await take(queue, 4)
    assert first_times(messages)[-1] == (4, "global")


async def cut_leader(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        cut = await connection.fetch(
            "select pg_terminate_backend(pid) from pg_locks join pg_stat_activity using (pid)"
            " where locktype = 'advisory' and granted and datname = current_database()"
        )
        assert len(cut) == 1
    finally:
        await connection.close()


async def test_the_database_away_is_no_reason_to_end(installation: Installation, amqp_url: str) -> None:
    unreachable = PostgresLeadership("postgresql://nobody@127.0.0.1:1/none", "relay")
    with pytest.raises(UnavailableError):
        async with unreachable.lead():
            pass
    async with open_publisher(amqp_url) as publisher:
        relay = installation.relay(publisher)
        relay._leadership = unreachable
        with anyio.move_on_after(0.5) as scope:
            await relay.run()
    assert scope.cancelled_caught

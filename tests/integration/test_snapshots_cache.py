"""Two replicas over one PostgreSQL and one Redis: what one compiles or commits, the other has."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import asyncpg
import pytest

from control_plane.metrics import Metrics
from control_plane.postgres.changes import PostgresChanges
from control_plane.postgres.configs import PostgresConfigs
from control_plane.postgres.migrate import migrate
from control_plane.postgres.pool import open_pool
from control_plane.postgres.registry import PostgresRegistry
from control_plane.redis_cache.cache import RedisCache
from control_plane.redis_cache.client import open_redis
from control_plane.redis_cache.notices import RedisNotices
from control_plane.services.feed import Feed
from control_plane.services.snapshots import Snapshots
from control_plane.workers.follower import Follower
from shared.domain.scope import Revisions, Scope
from shared.runtime.clock import SystemClock
from shared.runtime.lifecycle import running
from shared.wire.snapshot import SnapshotDocument
from tests.fakes.drafts import put
from tests.fakes.fault_proxy import fault_proxy
from tests.rig.seals import seals_over
from tests.servers.server import Server
from tests.store import OLGA

PROD = Scope("billing", "prod")


@dataclass
class Replica:
    """What a control-plane process is made of, without its API."""

    changes: PostgresChanges
    notices: RedisNotices
    feed: Feed
    snapshots: Snapshots
    metrics: Metrics

    async def commit(self, *scopes: Scope, key: str = "key", value: object = 1, sensitive: bool = False) -> int:
        committed = await self.changes.commit(put(*scopes, key=key, value=value, sensitive=sensitive))
        self.feed.offer(committed.messages)
        await self.notices.ring(committed.revision)
        return committed.revision

    async def fetch(self, since: Revisions | None = None, at_least: int = 0) -> SnapshotDocument:
        return SnapshotDocument.decode((await self.snapshots.fetch("billing", "prod", since, at_least)).body)

    def hits(self) -> float:
        name = "trimtab_snapshot_cache_hits_total"
        return self.metrics.registry.get_sample_value(name, {"layer": "shared"}) or 0.0


@asynccontextmanager
async def replica(pool: asyncpg.Pool, redis_url: str, interval: float | None = 60.0) -> AsyncIterator[Replica]:
    metrics, clock, changes = Metrics(), SystemClock(), PostgresChanges(pool, seals_over(pool))
    feed = Feed(changes, metrics, clock)
    await feed.load()
    async with open_redis(redis_url) as client:
        notices = RedisNotices(client)
        snapshots = Snapshots(
            PostgresConfigs(pool, seals_over(pool)), feed, RedisCache(client, metrics), metrics, clock
        )
        follower = Follower(feed, notices) if interval is None else Follower(feed, notices, interval)
        async with running(follower.run):
            yield Replica(changes, notices, feed, snapshots, metrics)


@pytest.fixture
async def pool(migrated_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with open_pool(migrated_url) as pool:
        registry = PostgresRegistry(pool)
        await registry.create_app("billing", "", OLGA)
        await registry.create_environment("billing", "prod", OLGA)
        yield pool


async def until(feed: Feed, revision: int) -> None:
    with anyio.fail_after(5):
        while feed.revision < revision:
            await anyio.sleep(0.002)


async def test_one_compiles_and_the_other_finds_it(pool: asyncpg.Pool, redis_url: str) -> None:
    async with replica(pool, redis_url) as one, replica(pool, redis_url) as two:
        await one.commit(Scope(), PROD, value="x" * 5_000)
        document = await one.fetch(at_least=1)
        assert (document.revisions, len(document.items), document.stale) == (Revisions(1, 0, 1), 2, False)
        assert await two.fetch(at_least=1) == document
        assert (one.hits(), two.hits()) == (0, 1)


async def test_a_secret_is_compiled_by_each_for_itself(pool: asyncpg.Pool, redis_url: str) -> None:
    async with replica(pool, redis_url) as one, replica(pool, redis_url) as two, open_redis(redis_url) as client:
        await one.commit(PROD, key="password", value="hunter2", sensitive=True)
        for each in (one, two):
            assert (await each.fetch(at_least=1)).items[0].entry
            assert each.hits() == 0
        assert await client.keys("trimtab:snapshot:*") == []


async def test_a_commit_reaches_the_other_replica_by_the_bell(pool: asyncpg.Pool, redis_url: str) -> None:
    async with replica(pool, redis_url) as one, replica(pool, redis_url) as two:
        for revision in range(1, 4):
            assert await one.commit(PROD) == revision
            await until(two.feed, revision)
            assert two.feed.digests("billing", "prod") == one.feed.digests("billing", "prod")


async def test_a_notice_makes_the_other_replica_serve_the_new_snapshot(pool: asyncpg.Pool, redis_url: str) -> None:
    async with replica(pool, redis_url) as one, replica(pool, redis_url) as two:
        before = await two.fetch()
        await one.commit(PROD)
        await until(two.feed, 1)
        after = await two.fetch()  # of an agent that knows of nothing
        assert (before.revisions, after.revisions) == (Revisions(), Revisions(0, 0, 1))


async def test_where_a_notice_is_lost_nobody_is_behind_for_more_than_a_second(
    pool: asyncpg.Pool, redis_url: str
) -> None:
    async with replica(pool, redis_url, interval=None) as two:
        await two.fetch()
        for value in range(1, 3):
            committed = (await two.changes.commit(put(PROD, value=value))).committed_at  # nobody is told
            with anyio.fail_after(5):
                while (document := await two.fetch()).revisions.environment < value:
                    await anyio.sleep(0.005)
            behind = (SystemClock().now() - committed).total_seconds()
            assert document.items[0].entry is not None
            assert document.items[0].entry.value == b"%d" % value
            assert behind < 1.25, "a second, and what this machine takes to look"


async def test_what_is_shared_expires(pool: asyncpg.Pool, redis_url: str) -> None:
    async with replica(pool, redis_url) as one, open_redis(redis_url) as client:
        await one.commit(PROD, value="x" * 5_000)
        await one.fetch()
        (key,) = await client.keys("trimtab:snapshot:*")
        assert 0 < await client.ttl(key) <= 3_600


async def test_a_redis_that_hangs_delays_an_answer_for_a_moment_only(pool: asyncpg.Pool, redis_url: str) -> None:
    async with fault_proxy(redis_url) as proxy, replica(pool, proxy.url(redis_url), 60.0) as one:
        await one.changes.commit(put(PROD))
        await one.feed.catch_up()
        proxy.blackhole()
        with anyio.fail_after(3):
            assert (await one.fetch()).revisions == Revisions(0, 0, 1)
        await one.changes.commit(put(PROD, value=2))
        await one.feed.catch_up()
        with anyio.fail_after(1):
            assert (await one.fetch()).revisions == Revisions(0, 0, 2)
        proxy.heal()


async def test_you_read_your_writes_on_any_replica(pool: asyncpg.Pool, redis_url: str) -> None:
    async with replica(pool, redis_url) as one, replica(pool, redis_url) as two:
        for value in range(20):
            await one.changes.commit(put(PROD, value=value))  # nobody is told
            view = await two.snapshots.effective("billing", "prod", None)
            assert view.configs["key"].entry.value == b"%d" % value


async def test_deltas_and_wholes_lead_to_the_same(pool: asyncpg.Pool, redis_url: str) -> None:
    async with replica(pool, redis_url) as one:
        await one.commit(PROD, key="a")
        before = await one.fetch()
        await one.commit(Scope("billing"), key="b")
        await one.commit(PROD, key="c")
        delta, whole = await one.fetch(since=before.revisions), await one.fetch()
        assert (delta.full, [each.key for each in delta.items]) == (False, ["b", "c"])
        assert (delta.revisions, delta.digests) == (whole.revisions, whole.digests)
        assert (await one.fetch(since=whole.revisions)).items == ()


async def test_without_redis_all_goes_on(pool: asyncpg.Pool, own_redis: Server) -> None:
    async with replica(pool, own_redis.url, 0.05) as one, replica(pool, own_redis.url, 0.05) as two:
        await own_redis.stop()
        with anyio.fail_after(5):
            for revision in range(1, 6):
                await one.commit(PROD, value=revision)
                await until(two.feed, revision)
                assert (await two.fetch()).revisions == Revisions(0, 0, revision)
        await own_redis.start()
        await one.commit(PROD)
        await until(two.feed, 6)


async def test_without_postgres_what_is_compiled_is_served_as_stale(own_postgres: Server, redis_url: str) -> None:
    await migrate(own_postgres.url)
    async with open_pool(own_postgres.url) as pool:
        registry = PostgresRegistry(pool)
        await registry.create_app("billing", "", OLGA)
        await registry.create_environment("billing", "prod", OLGA)
        async with replica(pool, redis_url, 0.1) as one:
            await one.commit(PROD, key="a")
            document = await one.fetch()
            await own_postgres.kill()
            with anyio.fail_after(15):
                view = await one.snapshots.effective("billing", "prod", None)
                assert view.stale
                assert list(view.configs) == ["a"]
                late = await one.fetch(since=Revisions(0, 0, 0), at_least=2)
            assert (late.stale, late.full, late.items) == (True, True, document.items)
            await own_postgres.start()
            with anyio.fail_after(15):
                while (await one.snapshots.effective("billing", "prod", None)).stale:
                    await anyio.sleep(0.02)
                assert not (await one.fetch(at_least=await one.commit(PROD, key="b"))).stale

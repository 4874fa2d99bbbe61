"""What every counter of reads does, in memory or in Redis."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from control_plane.domain.errors import UnavailableError
from control_plane.embedded.memory import MemoryReadCounters
from control_plane.ports.lossy import Counted, KeyReads, ReadCounters
from control_plane.redis_cache.client import open_redis
from control_plane.redis_cache.read_counters import RedisReadCounters
from tests.servers.server import Server

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)


@pytest.fixture(params=["memory", "redis"])
async def counters(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[ReadCounters]:
    if request.param == "memory":
        yield MemoryReadCounters()
    else:
        async with open_redis(redis_url) as client:
            yield RedisReadCounters(client)


async def test_nothing_is_known_before_the_first_count(counters: ReadCounters) -> None:
    assert await counters.of("billing", "prod") == Counted(None, {}, 0, None)


async def test_counts_add_up_and_remember_the_last_time(counters: ReadCounters) -> None:
    await counters.add("billing", "prod", {"a": 2, "b.c-d": 1}, 0, NOON)
    await counters.add("billing", "prod", {"a": 3}, 7, LATER)
    assert await counters.of("billing", "prod") == Counted(
        NOON, {"a": KeyReads(5, LATER), "b.c-d": KeyReads(1, NOON)}, 7, LATER
    )


async def test_counting_begins_although_nothing_was_read(counters: ReadCounters) -> None:
    await counters.add("billing", "prod", {}, 0, NOON)
    await counters.add("billing", "prod", {"a": 1}, 0, LATER)
    assert (await counters.of("billing", "prod")).since == NOON


async def test_each_app_environment_counts_for_itself(counters: ReadCounters) -> None:
    await counters.add("billing", "prod", {"a": 1}, 0, NOON)
    assert (await counters.of("billing", "dev")).keys == {}
    assert (await counters.of("shop", "prod")).since is None


async def test_all_keys_of_a_large_report_are_counted(counters: ReadCounters) -> None:
    keys = {f"some.key.of.a.config.{number}": number for number in range(1, 5_001)}
    await counters.add("billing", "prod", keys, 0, NOON)
    assert {key: each.reads for key, each in (await counters.of("billing", "prod")).keys.items()} == keys


async def test_replicas_that_count_at_once_lose_nothing(counters: ReadCounters) -> None:
    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(counters.add, "billing", "prod", {"a": 1, "b": 2}, 1, NOON)
    counted = await counters.of("billing", "prod")
    assert (counted.keys["a"].reads, counted.keys["b"].reads, counted.bulk) == (50, 100, 50)


async def test_without_redis_it_says_so(own_redis: Server) -> None:
    async with open_redis(own_redis.url) as client:
        counters = RedisReadCounters(client)
        await own_redis.stop()
        with pytest.raises(UnavailableError, match="redis"):
            await counters.add("billing", "prod", {"a": 1}, 0, NOON)
        with pytest.raises(UnavailableError, match="redis"):
            await counters.of("billing", "prod")

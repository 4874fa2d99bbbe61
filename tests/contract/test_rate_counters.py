"""What every counter of requests does, in memory or in Redis."""

from collections.abc import AsyncIterator

import anyio
import pytest

from control_plane.domain.errors import UnavailableError
from control_plane.domain.rates import Rate
from control_plane.embedded.rates import MemoryRateCounters
from control_plane.ports.rates import RateCounters
from control_plane.redis_cache.client import open_redis
from control_plane.redis_cache.rates import RedisRateCounters
from tests.servers.server import Server

SLOW = Rate(per_second=0.01, burst=5)
QUICK = Rate(per_second=100, burst=2)


@pytest.fixture(params=["memory", "redis"])
async def counters(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[RateCounters]:
    if request.param == "memory":
        yield MemoryRateCounters()
    else:
        async with open_redis(redis_url) as client:
            yield RedisRateCounters(client)


async def test_a_burst_is_given_and_then_no_more(counters: RateCounters) -> None:
    assert [(await counters.take("a", SLOW)).remaining for _ in range(5)] == [4, 3, 2, 1, 0]
    refused = await counters.take("a", SLOW)
    assert refused.granted == 0
    assert 50 < refused.wait <= 100
    assert (await counters.take("b", SLOW)).granted == 1


async def test_a_batch_is_what_there_is(counters: RateCounters) -> None:
    first, second, third = [await counters.take("a", SLOW, 3) for _ in range(3)]
    assert (first.granted, first.remaining) == (3, 2)
    assert (second.granted, second.remaining) == (2, 0)
    assert third.granted == 0


async def test_time_gives_it_back(counters: RateCounters) -> None:
    assert (await counters.take("a", QUICK, 2)).granted == 2
    with anyio.fail_after(5):
        while not (await counters.take("a", QUICK)).granted:
            await anyio.sleep(0.005)


async def test_those_who_ask_at_the_same_moment_get_no_more_together(counters: RateCounters) -> None:
    given: list[int] = []

    async def ask() -> None:
        given.append((await counters.take("a", SLOW)).granted)

    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(ask)
    assert sum(given) == 5


async def test_redis_forgets_who_has_everything_again(redis_url: str) -> None:
    async with open_redis(redis_url) as client:
        await RedisRateCounters(client).take("a", QUICK)
        with anyio.fail_after(5):
            while await client.exists("trimtab:rate:a"):
                await anyio.sleep(0.01)


async def test_what_is_no_number_in_redis_is_said_to_be_redis_fault(redis_url: str) -> None:
    async with open_redis(redis_url) as client:
        await client.set("trimtab:rate:a", "9e99")  # a clock that was far ahead
        assert (await RedisRateCounters(client).take("a", SLOW)).wait <= 100
        await client.delete("trimtab:rate:b")
        await client.rpush("trimtab:rate:b", "x")  # not ours
        with pytest.raises(UnavailableError):
            await RedisRateCounters(client).take("b", SLOW)


async def test_without_redis_it_is_told_at_once_and_asked_again_later(own_redis: Server) -> None:
    async with open_redis(own_redis.url) as client:
        counters = RedisRateCounters(client)
        await counters.take("a", SLOW)
        await own_redis.stop()
        with anyio.fail_after(3):
            for _ in range(100):
                with pytest.raises(UnavailableError):
                    await counters.take("a", SLOW)
        await own_redis.start()
        with anyio.fail_after(5):
            while True:
                try:
                    assert (await counters.take("a", SLOW)).granted == 1
                except UnavailableError:
                    await anyio.sleep(0.05)
                else:
                    break

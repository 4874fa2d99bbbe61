"""What every cache does, in memory or in Redis."""

from collections.abc import AsyncIterator

import anyio
import pytest

from control_plane.embedded.memory import MemoryCache
from control_plane.metrics import Metrics
from control_plane.ports.lossy import Cache
from control_plane.redis_cache.cache import RedisCache
from control_plane.redis_cache.client import open_redis
from control_plane.redis_cache.probe import RedisProbe
from tests.fakes.clock import ManualClock
from tests.servers.server import Server


@pytest.fixture(params=["memory", "redis"])
async def cache(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[Cache]:
    if request.param == "memory":
        yield MemoryCache()
    else:
        async with open_redis(redis_url) as client:
            yield RedisCache(client, Metrics())


async def test_what_was_set_is_got(cache: Cache) -> None:
    assert await cache.get("a") is None
    await cache.set("a", b"\x00\xff", 60.0)
    await cache.set("b", b"", 60.0)
    assert (await cache.get("a"), await cache.get("b")) == (b"\x00\xff", b"")
    await cache.set("a", b"new", 60.0)
    assert await cache.get("a") == b"new"


async def test_it_expires(cache: Cache) -> None:
    await cache.set("a", b"1", 0.01)
    with anyio.fail_after(5):
        while await cache.get("a") is not None:
            await anyio.sleep(0.005)


async def test_memory_is_bounded() -> None:
    cache = MemoryCache(ManualClock(), max_bytes=100)
    for name in "abc":
        await cache.set(name, b"x" * 40, 60.0)
    await cache.set("b", b"y" * 40, 60.0)
    assert [name for name in "abc" if await cache.get(name)] == ["b", "c"]


async def test_without_redis_everything_is_a_miss_and_soon_none_again(
    own_redis: Server, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = Metrics()
    async with open_redis(own_redis.url) as client:
        cache = RedisCache(client, metrics)
        await cache.set("a", b"1", 60.0)
        await own_redis.stop()
        with anyio.fail_after(2):
            for _ in range(100):
                assert await cache.get("a") is None
                await cache.set("a", b"1", 60.0)
            assert not (await RedisProbe(client).probe()).ok
        assert [each.levelname for each in caplog.records].count("WARNING") == 1
        assert metrics.registry.get_sample_value("trimtab_dependency_errors_total", {"dependency": "redis"}) == 1
        await own_redis.start()
        with anyio.fail_after(5):
            while await cache.get("a") is None:
                await cache.set("a", b"1", 60.0)
                await anyio.sleep(0.02)
            assert (await RedisProbe(client).probe()).ok

"""What every bell does, in memory or over Redis."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import anyio
import pytest

from control_plane.embedded.memory import MemoryNotices
from control_plane.ports.lossy import Notices
from control_plane.redis_cache.client import open_redis
from control_plane.redis_cache.notices import ALARMS, RedisNotices
from tests.servers.server import Server

Join = Callable[[], AbstractAsyncContextManager[Notices]]


@pytest.fixture(params=["memory", "redis"])
async def join(request: pytest.FixtureRequest, redis_url: str) -> Join:
    """How a replica gets hold of the bell."""
    shared = MemoryNotices()

    @asynccontextmanager
    async def memory() -> AsyncIterator[Notices]:
        yield shared

    @asynccontextmanager
    async def over_redis() -> AsyncIterator[Notices]:
        async with open_redis(redis_url) as client:
            yield RedisNotices(client)

    return memory if request.param == "memory" else over_redis


async def hear(rings: AsyncIterator[int], revision: int) -> None:
    with anyio.fail_after(5):
        while await anext(rings) < revision:
            pass


async def test_a_ring_is_heard_by_all_replicas(join: Join) -> None:
    async with join() as one, join() as two, one.listen() as mine, one.listen() as mine_too, two.listen() as theirs:
        await one.ring(7)
        await hear(mine, 7)
        await hear(mine_too, 7)
        await hear(theirs, 7)
        await two.ring(8)
        await hear(mine, 8)
        await hear(theirs, 8)


async def test_rings_before_one_listens_are_not_heard(join: Join) -> None:
    async with join() as notices:
        await notices.ring(1)
        async with notices.listen() as rings:
            await notices.ring(2)
            with anyio.fail_after(5):
                assert await anext(rings) == 2


async def test_rings_that_come_while_one_is_busy_melt_into_the_highest(join: Join) -> None:
    async with join() as notices, notices.listen() as rings:
        for revision in (3, 9, 5):
            await notices.ring(revision)
        with anyio.fail_after(5):
            assert await anext(rings) == 9


async def test_a_wait_that_was_given_up_loses_no_ring(join: Join) -> None:
    async with join() as notices, notices.listen() as rings:
        for _ in range(3):
            with anyio.move_on_after(0.01):
                await anext(rings)
        await notices.ring(4)
        await hear(rings, 4)


async def test_bells_of_other_channels_are_others(redis_url: str) -> None:
    async with open_redis(redis_url) as client:
        bell, alarm = RedisNotices(client), RedisNotices(client, ALARMS)
        async with bell.listen() as rings, alarm.listen() as alarms:
            await alarm.ring(9)
            await hear(alarms, 9)
            await bell.ring(3)
            with anyio.fail_after(5):
                assert await anext(rings) == 3


async def test_without_redis_ones_own_rings_are_heard_and_the_others_later(own_redis: Server) -> None:
    await own_redis.stop()
    async with open_redis(own_redis.url) as client, open_redis(own_redis.url) as other:
        mine, theirs = RedisNotices(client), RedisNotices(other)
        with anyio.fail_after(3):
            async with mine.listen() as rings:
                await mine.ring(1)
                await hear(rings, 1)
                await theirs.ring(2)
        async with mine.listen() as rings:
            for _ in range(2):
                await own_redis.start()
                await ring_until_heard(theirs, rings)
                await own_redis.stop()


async def ring_until_heard(notices: Notices, rings: AsyncIterator[int]) -> None:
    heard = False
    with anyio.fail_after(15):
        while not heard:
            await notices.ring(3)
            with anyio.move_on_after(0.1):
                heard = await anext(rings) == 3

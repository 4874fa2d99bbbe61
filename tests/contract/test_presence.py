"""What every keeper of reports does, in memory or in Redis."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import anyio
import pytest

from control_plane.domain.errors import UnavailableError
from control_plane.embedded.memory import MemoryPresence
from control_plane.ports.lossy import AgentPresence, Presence, ShownCredential
from control_plane.redis_cache.client import open_redis
from control_plane.redis_cache.presence import RedisPresence
from shared.domain.scope import Revisions
from shared.wire.report import Rejection, Report
from tests.rig.seals import MARKS
from tests.servers.server import Server


@pytest.fixture(params=["memory", "redis"])
async def presence(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[Presence]:
    if request.param == "memory":
        yield MemoryPresence()
    else:
        async with open_redis(redis_url) as client:
            yield RedisPresence(client, MARKS)


def agent(instance: str, app_id: str = "billing", environment: str = "prod", revision: int = 1) -> AgentPresence:
    report = Report(
        instance,
        app_id,
        environment,
        "0.1.0",
        Revisions(revision, 0, revision),
        "live",
        "amqp",
        {"zone": "north"},
        Rejection(3, "too large"),
    )
    credential = ShownCredential("c-1", own=True, expires_at=datetime(2026, 1, 1, 13, 30, tzinfo=UTC))
    return AgentPresence(report, "10.0.0.1", datetime(2026, 1, 1, 12, 30, tzinfo=UTC), credential)


async def test_the_latest_report_of_each_agent_is_kept_as_it_is(presence: Presence) -> None:
    await presence.record(agent("a", revision=1), 60.0)
    await presence.record(agent("a", revision=2), 60.0)
    assert await presence.list() == [agent("a", revision=2)]


async def test_agents_are_listed_in_order_and_by_where_they_belong(presence: Presence) -> None:
    agents = [
        agent("i1", "billing", "prod"),
        agent("i2", "billing", "prod"),
        agent("prod:i3", "billing", "test"),
        agent("i4", "shop", "prod"),
    ]
    for each in reversed(agents):
        await presence.record(each, 60.0)
    assert await presence.list() == agents
    assert await presence.list("billing") == agents[:3]
    assert await presence.list("billing", "prod") == agents[:2]
    assert await presence.list(None, "prod") == [agents[0], agents[1], agents[3]]
    assert await presence.list("bill") == []


async def test_many_agents_are_all_listed(presence: Presence) -> None:
    for start in range(0, 2_500, 20):
        async with anyio.create_task_group() as group:
            for number in range(start, start + 20):
                group.start_soon(presence.record, agent(f"i{number:05}"), 60.0)
    assert len(await presence.list("billing", "prod")) == 2_500


async def test_an_agent_that_falls_silent_is_forgotten(presence: Presence) -> None:
    await presence.record(agent("a"), 0.01)
    with anyio.fail_after(5):
        while await presence.list():
            await anyio.sleep(0.005)


async def test_without_redis_it_says_so(own_redis: Server) -> None:
    async with open_redis(own_redis.url) as client:
        presence = RedisPresence(client, MARKS)
        await own_redis.stop()
        with pytest.raises(UnavailableError, match="redis"):
            await presence.record(agent("a"), 60.0)
        with pytest.raises(UnavailableError, match="redis"):
            await presence.list()
        await own_redis.start()
        await presence.record(agent("a"), 60.0)
        assert await presence.list() == [agent("a")]


async def test_what_somebody_else_puts_there_is_no_agent(redis_url: str) -> None:
    async with open_redis(redis_url) as client:
        presence = RedisPresence(client, MARKS)
        await presence.record(agent("a"), 60.0)
        (name,) = await client.keys("*agent:*")
        kept = await client.get(name)
        for key, forged in (("b", kept), ("c", kept[32:]), ("d", b"garbage"), ("e", b"")):
            await client.set(name.replace(b":a", f":{key}".encode()), forged)
        assert await presence.list() == [agent("a")]

"""PostgreSQL, Redis and RabbitMQ are each stopped, killed and started under traffic: nothing committed is lost."""

import anyio
import pytest

from tests.chaos.conftest import Stage, Traffic

pytestmark = pytest.mark.timeout(120)


async def test_changes_reach_the_agent_while_rabbitmq_is_away_and_it_returns_to_the_broker_by_itself(
    stage: Stage,
) -> None:
    traffic = Traffic(stage.site, stage.control_plane)
    async with anyio.create_task_group() as group:
        await group.start(traffic.run)
        await stage.rabbitmq.kill()
        await traffic.more(20)
        await stage.site.until_status(stage.agent, 20, transport="sse", state="live")
        assert traffic.refused == 0, "writes do not need the broker"
        await stage.rabbitmq.start()
        await stage.site.until_status(stage.agent, 40, transport="amqp", state="live")
        await traffic.more(20)
        group.cancel_scope.cancel()
    await _agent_has_everything(stage, traffic)


async def test_without_redis_everything_goes_on(stage: Stage) -> None:
    traffic = Traffic(stage.site, stage.control_plane)
    async with anyio.create_task_group() as group:
        await group.start(traffic.run)
        await stage.redis.kill()
        await traffic.more(20)
        marker = await stage.site.put(stage.control_plane, "without.redis", "true")
        await stage.site.until_value(stage.agent, "without.redis", "true", within=5)
        assert traffic.refused == 0, "writes do not need the cache"
        await stage.redis.start()
        await traffic.more(20)
        group.cancel_scope.cancel()
    await _agent_has_everything(stage, traffic)
    assert (await stage.site.status(stage.agent))["revision"] > marker


async def test_while_postgresql_is_away_writes_are_refused_agents_serve_and_nothing_acknowledged_is_lost(
    stage: Stage,
) -> None:
    traffic = Traffic(stage.site, stage.control_plane)
    async with anyio.create_task_group() as group:
        await group.start(traffic.run)
        await traffic.more(20)
        await stage.postgres.kill()
        with anyio.fail_after(20):
            while traffic.refused == 0:
                await anyio.sleep(0.01)
        assert await stage.site.value(stage.agent, "greeting") == "hello"
        await stage.postgres.start()
        await traffic.more(20, within=40)
        group.cancel_scope.cancel()
    await _agent_has_everything(stage, traffic)
    newest = await stage.site.get(stage.control_plane, "/changes?limit=1")
    revision = newest["items"][0]["revision"]
    # 1 change before the traffic, and each number committed once although it was sent until it was acknowledged.
    assert revision in {1 + len(traffic.committed), 2 + len(traffic.committed)}


async def _agent_has_everything(stage: Stage, traffic: Traffic) -> None:
    with anyio.fail_after(20):
        while await stage.site.value(stage.agent, traffic.key) not in {
            traffic.committed[-1],
            traffic.committed[-1] + 1,  # the write that was under way when the traffic was stopped
        }:
            await anyio.sleep(0.01)

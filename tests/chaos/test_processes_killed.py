"""Control planes and agents are killed: changes are delayed, never lost, and applications are served all the time."""

from pathlib import Path

import aiohttp
import anyio
import pytest

from tests.chaos.conftest import Stage
from tests.fakes.listener import listening
from tests.rig.installation import APP, ENVIRONMENT, Servers, installation
from tests.rig.process import Process
from tests.servers.server import Server

pytestmark = pytest.mark.timeout(120)


async def test_a_change_committed_before_a_crash_is_published_after_it(stage: Stage) -> None:
    """The outbox: the only control plane dies between the commit and the broker's confirm."""
    await stage.rabbitmq.stop()
    await stage.site.until_status(stage.agent, 20, transport="sse")
    stage.agent.kill()  # nobody hears of the change by another way
    await stage.site.put(stage.control_plane, "survives", "a crash")
    stage.control_plane.kill()
    await stage.rabbitmq.start()
    async with listening(stage.rabbitmq.url, APP, ENVIRONMENT) as published:
        stage.control_plane.start()
        await stage.control_plane.until_ok()
        await published.until_key("survives", within=15)
    stage.agent.start()
    await stage.agent.until_ok()
    await stage.site.until_value(stage.agent, "survives", "a crash", within=10)


async def test_another_replica_leads_the_relay_within_two_seconds(
    own_postgres: Server, own_redis: Server, own_rabbitmq: Server, tmp_path: Path
) -> None:
    servers = Servers(own_postgres.url, own_redis.url, own_rabbitmq.url)
    async with installation(tmp_path, servers) as site:
        first = await site.control_plane("one")
        await site.register(first)
        await _leads(first)
        second = await site.control_plane("two")
        async with listening(own_rabbitmq.url, APP, ENVIRONMENT) as published:
            first.kill()
            await site.put(second, "after", "the leader")
            # Two seconds to take over, and one that a busy machine may add.
            await published.until_key("after", within=3)


async def test_an_agent_starts_and_serves_with_everything_gone(stage: Stage) -> None:
    await stage.site.put(stage.control_plane, "kept", [1, 2, 3])
    await stage.site.until_value(stage.agent, "kept", [1, 2, 3], within=5)
    revision = (await stage.site.status(stage.agent))["revision"]
    stage.agent.kill()
    stage.control_plane.kill()
    await stage.postgres.kill()
    await stage.redis.kill()
    await stage.rabbitmq.kill()
    stage.agent.start()
    await stage.agent.until_ok()
    assert await stage.site.value(stage.agent, "kept") == [1, 2, 3]
    status = await stage.site.status(stage.agent)
    assert (status["state"], status["revision"]) == ("stale", revision)


async def test_an_agent_with_a_damaged_last_known_good_serves_the_previous_one_or_fetches_anew(stage: Stage) -> None:
    await stage.site.put(stage.control_plane, "kept", "whole")
    await stage.site.until_value(stage.agent, "kept", "whole", within=5)
    stage.agent.kill()
    files = [path for path in (stage.site.directory / "agent-one").rglob("*") if path.is_file() and path.stat().st_size]
    assert files
    for path in files:
        body = bytearray(path.read_bytes())
        body[len(body) // 2] ^= 0xFF
        path.write_bytes(body)
    stage.agent.start()
    await stage.agent.until_ok()
    await stage.site.until_value(stage.agent, "kept", "whole", within=10)


async def test_an_agent_started_before_its_control_plane_is_not_ready_and_becomes_ready_by_itself(
    own_postgres: Server, tmp_path: Path
) -> None:
    async with installation(tmp_path, Servers(own_postgres.url)) as site:
        control_plane = await site.control_plane()
        await site.register(control_plane)
        await site.put(control_plane, "greeting", "hello")
        control_plane.stop()
        agent = await site.agent("early", [control_plane], ready=False)
        await agent.until_ok("/healthz")
        async with site.session.get(f"{agent.url}/readyz") as answer:
            assert answer.status == 503
        control_plane.start()
        await agent.until_ok("/readyz", within=20)
        assert await site.value(agent, "greeting") == "hello"


async def _leads(control_plane: Process) -> None:
    async with aiohttp.ClientSession() as session:
        with anyio.fail_after(5):
            while True:
                async with session.get(f"{control_plane.url}/metrics") as answer:
                    if "\ntrimtab_leader 1.0" in await answer.text():
                        return
                await anyio.sleep(0.02)

"""Rollouts with everything real: a control plane, its database, agents, applications; only time is short."""

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from aiohttp import web

from tests.rig.installation import Installation, Servers, installation
from tests.rig.process import Process
from tests.rig.rollouts import Rollouts, now_ms
from tests.servers.server import free_port

pytestmark = pytest.mark.timeout(180)

KEY = "checkout.flow"
AGENTS, USERS = 20, 10_000


@asynccontextmanager
async def shop(url: str, directory: Path) -> AsyncIterator[tuple[Installation, Rollouts]]:
    """A control plane, and one config with its baseline."""
    async with installation(directory, Servers(url)) as site:
        control_plane = await site.control_plane()
        await site.register(control_plane)
        await site.put(control_plane, KEY, "old")
        yield site, Rollouts(site, control_plane)


async def fleet(site: Installation, rollouts: Rollouts, count: int, **settings: str) -> list[Process]:
    """Agents that serve."""
    agents = [
        await site.agent(f"a{number}", [rollouts.via], ready=False, TRIMTAB_AGENT_INSTANCE=f"i-{number}", **settings)
        for number in range(count)
    ]
    for each in agents:
        await each.until_ok()
    return agents


def exposed(seen: dict[str, Any]) -> set[str]:
    """The users that are served the candidate."""
    return {user for user, value in seen.items() if value == "new"}


async def test_percentages_of_ten_thousand_users_rise_by_the_clock_of_twenty_agents(
    migrated_url: str, tmp_path: Path
) -> None:
    """Each share is measured within its stage; nobody is moved out; the agents need no message for it."""
    users = [f"user-{number}" for number in range(USERS)]
    seconds = 16
    shares = [1_000, 10_000, 25_000, 100_000]
    async with shop(migrated_url, tmp_path) as (site, rollouts):
        agents = await fleet(site, rollouts, AGENTS)
        stages = [{"weight": weight, "after": index * seconds} for index, weight in enumerate(shares)]
        stages[-1]["after"] += 10  # for the questions after the last survey
        start = now_ms()
        rollout = await rollouts.start(KEY, strategy="percentage", candidate="new", stages=stages)
        await rollouts.until_served(agents, KEY, "old", 10)
        revisions = {(await site.status(each))["revision"] for each in agents}
        before: set[str] = set()
        for index, weight in enumerate(shares[:-1]):
            await _until(start + index * seconds * 1_000 + 500)
            after = exposed(dict(await rollouts.survey(agents, KEY, users)))
            assert now_ms() < start + (index + 1) * seconds * 1_000, "the survey took longer than the stage"
            share = weight / 100_000
            assert abs(len(after) - USERS * share) < 5 * math.sqrt(USERS * share * (1 - share)), (weight, len(after))
            assert before <= after
            before = after
        assert {(await site.status(each))["revision"] for each in agents} == revisions
        for user in users[:25]:
            assert len({await rollouts.served(each, KEY, targetingKey=user) for each in agents}) == 1
        done = await rollouts.until(rollout, "completed", within=3 * seconds)
        assert done["outcome"] == "kept"
        await rollouts.until_served(agents, KEY, "new", 10)
        assert [each["action"] for each in await rollouts.events(rollout)] == ["started", "completed"]


async def _until(moment_ms: int) -> None:
    while (left := moment_ms - now_ms()) > 0:
        await anyio.sleep(left / 1_000)


class Application:
    """An application that cannot live with the candidate: it asks its agent, and fails its health check then."""

    def __init__(self, site: Installation) -> None:
        self._site = site
        self.agent: Process | None = None
        self.failed_at = 0

    async def health(self, _request: web.Request) -> web.Response:
        """As an orchestrator or the agent would ask it."""
        if self.agent is not None and await self._site.value(self.agent, KEY) == "new":
            self.failed_at = self.failed_at or now_ms()
            return web.Response(status=500)
        return web.Response()


@asynccontextmanager
async def serving(application: Application) -> AsyncIterator[str]:
    app = web.Application()
    app.add_routes([web.get("/health", application.health)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}/health"
    finally:
        await runner.cleanup()


async def test_a_canary_whose_application_fails_withdraws_itself_with_the_evidence(
    migrated_url: str, tmp_path: Path
) -> None:
    async with shop(migrated_url, tmp_path) as (site, rollouts):
        application = Application(site)
        async with serving(application) as url:
            probe = {
                "TRIMTAB_AGENT_PROBE": url,
                "TRIMTAB_AGENT_PROBE_INTERVAL": "1",
                "TRIMTAB_AGENT_PROBE_FAILURES": "2",
            }
            canary = await site.agent("canary", [rollouts.via], TRIMTAB_AGENT_LABELS="track=canary", **probe)
            others = await fleet(site, rollouts, 3, TRIMTAB_AGENT_LABELS="track=stable")
            application.agent = canary
            gates = [{"type": "health", "interval": 0.2}, {"type": "bake", "seconds": 3_600}]
            stages = [{"labels": {"track": "canary"}, "gates": gates}, {"weight": 100_000}]
            rollout = await rollouts.start(KEY, strategy="canary", candidate="new", stages=stages)
            done = await rollouts.until(rollout, "aborted", within=30)
            await rollouts.until_served([canary, *others], KEY, "old", 10)
            gone = now_ms() - application.failed_at
            assert application.failed_at > 0
            assert gone < 10_000, f"{gone} ms from the application's first failure to the baseline everywhere"
            print(f"failure at a canary's application -> exposure gone at every agent: {gone} ms")  # noqa: T201 - measured
            assert done["outcome"] == "withdrawn"
            aborted = (await rollouts.events(rollout))[-1]
            assert aborted["action"] == "aborted"
            assert "HTTP status 500" in str(aborted["detail"])
            audit = await site.get(rollouts.via, "/audit?limit=1")
            assert "HTTP status 500" in str(audit["items"][0]["detail"])
            assert all([await site.value(each, KEY) == "old" for each in others])


async def test_outcomes_that_applications_tell_withdraw_a_candidate_that_fails_more_often(
    migrated_url: str, tmp_path: Path
) -> None:
    """Every tenth use of the baseline fails, every second one of the candidate."""
    async with shop(migrated_url, tmp_path) as (site, rollouts):
        agents = await fleet(site, rollouts, 2)
        gates = [{"type": "outcomes", "minimum": 50}, {"type": "bake", "seconds": 3_600}]
        stages = [{"weight": 50_000, "after": "0s", "gates": gates}, {"weight": 100_000, "after": "1s"}]
        rollout = await rollouts.start(KEY, strategy="percentage", candidate="new", stages=stages)
        for each in agents:
            await site.until_revision(each, 10, 2)
        with anyio.fail_after(90):
            while (await rollouts.show(rollout))["phase"] != "aborted":
                for number in range(100):
                    await _use(site, agents[number % 2], f"user-{number}")
        shown = await rollouts.show(rollout)
        assert shown["outcome"] == "withdrawn"
        assert "outcomes" in shown["reason"]
        await rollouts.until_served(agents, KEY, "old", 10, targetingKey="user-1")


async def _use(site: Installation, agent: Process, user: str) -> None:
    """One use of an application: it reads its config, and tells how it went."""
    context = {"targetingKey": user}
    async with site.session.get(f"{agent.url}/v1/configs/{KEY}", params=context) as answer:
        served = await answer.json()
    digit = sum(user.encode()) % 10
    failed = digit < (5 if served["value"] == "new" else 1)
    told = {"key": KEY, "context": context, "failure" if failed else "success": 1}
    async with site.session.post(f"{agent.url}/v1/outcomes", json=told) as answer:
        assert answer.status == 200


async def test_agents_cut_off_from_everything_advance_to_the_gate_and_stop_there(
    migrated_url: str, tmp_path: Path
) -> None:
    users = [f"user-{number}" for number in range(400)]
    async with shop(migrated_url, tmp_path) as (site, rollouts):
        agents = await fleet(site, rollouts, 2)
        stages: Sequence[Any] = [
            {"weight": 10_000, "after": "0s"},
            {"weight": 50_000, "after": "4s", "gates": [{"type": "approval"}]},
            {"weight": 100_000, "after": "5s"},
        ]
        start = now_ms()
        await rollouts.start(KEY, strategy="percentage", candidate="new", stages=stages)
        for each in agents:
            await site.until_revision(each, 10, 2)
        rollouts.via.kill()
        first = exposed(dict(await rollouts.survey(agents, KEY, users)))
        assert now_ms() < start + 4_000
        assert 10 < len(first) < 90
        agents[1].kill()
        agents[1].start()
        await agents[1].until_ok()
        await _until(start + 4_500)
        second = exposed(dict(await rollouts.survey(agents, KEY, users)))
        assert 140 < len(second) < 260
        assert first <= second
        await _until(start + 8_000)
        assert exposed(dict(await rollouts.survey(agents, KEY, users))) == second


async def test_a_flag_flips_a_rollout_that_follows_it(migrated_url: str, tmp_path: Path) -> None:
    async with shop(migrated_url, tmp_path) as (site, rollouts):
        agents = await fleet(site, rollouts, 1)
        flag = {"variants": {"on": True, "off": False}, "default": "off"}
        when = {"attribute": "groups", "op": "in", "values": ["staff"]}
        place = {"app_id": "shop", "environment": "prod", "key": "new.flow"}
        made = await site.post(rollouts.via, "/configs", {**place, "flag": flag})
        await rollouts.start(KEY, strategy="feature_flag", candidate="new", follows="new.flow")
        await site.until_revision(agents[0], 10, 3)
        assert await rollouts.served(agents[0], KEY, groups="staff") == "old"
        targeted = flag | {"rules": [{"when": when, "serve": "on"}]}
        await site.post(rollouts.via, "/changes", {"operations": [{"op": "put", **place, "flag": targeted}]})
        await rollouts.until_served(agents, KEY, "new", 10, groups="staff")
        assert await rollouts.served(agents[0], KEY, groups="guests") == "old"
        killed = targeted | {"on": False}
        await site.post(rollouts.via, "/changes", {"operations": [{"op": "put", **place, "flag": killed}]})
        await rollouts.until_served(agents, KEY, "old", 10, groups="staff")
        assert made["version"] == 1


async def test_a_window_opens_and_closes_with_no_message(migrated_url: str, tmp_path: Path) -> None:
    async with shop(migrated_url, tmp_path) as (site, rollouts):
        [agent] = await fleet(site, rollouts, 1, TRIMTAB_AGENT_FILES=str(tmp_path / "shop.json"))
        opens = now_ms() + 3_000
        window = {"start": _moment(opens), "end": _moment(opens + 3_000)}
        rollout = await rollouts.start(KEY, strategy="time_based", candidate="new", window=window)
        await site.until_revision(agent, 10, 2)
        assert now_ms() < opens
        assert await site.value(agent, KEY) == "old"
        rollouts.via.kill()
        await rollouts.until_served([agent], KEY, "new", 10)
        assert abs(now_ms() - opens) < 500
        await _until_file(tmp_path / "shop.json", '"new"')
        await rollouts.until_served([agent], KEY, "old", 10)
        assert abs(now_ms() - opens - 3_000) < 500
        await _until_file(tmp_path / "shop.json", '"old"')
        assert (await site.status(agent))["revision"] == 2
        rollouts.via.start()
        await rollouts.via.until_ok()
        done = await rollouts.until(rollout, "completed")
        assert done["outcome"] == "reverted"


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat()


async def _until_file(path: Path, text: str) -> None:
    file = anyio.Path(path)
    with anyio.fail_after(5):
        while text not in await file.read_text():
            await anyio.sleep(0.01)

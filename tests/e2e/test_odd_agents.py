"""Agents with a wrong clock, or older than what is written, over real processes: they go on, and everybody can see it."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.e2e.test_rollouts import KEY, shop
from tests.rig.installation import Installation
from tests.rig.process import Process

pytestmark = pytest.mark.timeout(120)

ODD = "tests.rig.odd_agent"


async def seen(site: Installation, via: Process, instance: str) -> Any:
    """An agent as the fleet shows it."""
    items = (await site.get(via, "/agents"))["items"]
    return next((each for each in items if each["instance"] == instance), None)


async def test_a_clock_that_is_off_is_measured_and_shown_in_the_fleet(migrated_url: str, tmp_path: Path) -> None:
    async with shop(migrated_url, tmp_path) as (site, rollouts):
        via = rollouts.via
        right = await site.agent("right", [via], TRIMTAB_AGENT_INSTANCE="right")
        late = await site.agent("late", [via], module=ODD, TRIMTAB_AGENT_INSTANCE="late", ODD_CLOCK="-90")
        with anyio.fail_after(20):
            while (found := await seen(site, via, "late")) is None or found["clock_skew"] is None:
                await anyio.sleep(0.05)
            while (status := await site.status(right))["clock_skew"] is None:
                await anyio.sleep(0.05)
        for skew, seconds, suspicious in ((found["clock_skew"], -90, True), (status["clock_skew"], 0, False)):
            assert (skew["suspicious"], skew["uncertainty"] < 2) == (suspicious, True)
            assert abs(skew["seconds"] - seconds) <= skew["uncertainty"] + 0.01
        assert (await site.status(late))["clock_skew"]["suspicious"]


async def test_an_agent_that_does_not_understand_a_rollout_keeps_its_baseline_and_fails_the_gate(
    migrated_url: str, tmp_path: Path
) -> None:
    async with shop(migrated_url, tmp_path) as (site, rollouts):
        via = rollouts.via
        new = await site.agent("new", [via], TRIMTAB_AGENT_INSTANCE="new")
        old = await site.agent("old", [via], module=ODD, TRIMTAB_AGENT_INSTANCE="old", ODD_SCHEMA="0")
        with anyio.fail_after(20):
            while None in [await seen(site, via, each) for each in ("new", "old")]:
                await anyio.sleep(0.05)
        stages = [{"weight": 99_999, "gates": [{"type": "acks"}]}, {"weight": 100_000, "after": 600}]
        rollout = await rollouts.start(KEY, strategy="percentage", candidate="new", stages=stages)
        await rollouts.until_served([new], KEY, "new", 10, targetingKey="ada")
        await site.until_revision(old, 10, (await site.status(new))["revision"])
        assert await rollouts.served(old, KEY, targetingKey="ada") == "old"
        assert [each["key"] for each in (await site.status(old))["unsupported"]["last"]] == [KEY]
        done = await rollouts.until(rollout, "aborted", "completed", within=40)
        assert done["phase"] == "aborted"
        assert "agents rejected it: old" in str((await rollouts.events(rollout))[-1]["detail"])
        await rollouts.until_served([new, old], KEY, "old", 10, targetingKey="ada")

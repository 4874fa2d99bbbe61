"""The replica that drives a rollout is killed midway: another goes on, each transition is made once."""

from pathlib import Path

import anyio
import pytest

from tests.rig.installation import Servers, installation
from tests.rig.rollouts import Rollouts

_WEIGHTS = (1_000, 5_000, 10_000, 25_000, 50_000, 75_000, 100_000)


@pytest.mark.timeout(120)
async def test_a_rollout_outlives_its_leader_and_makes_each_transition_once(migrated_url: str, tmp_path: Path) -> None:
    async with installation(tmp_path, Servers(migrated_url)) as site:
        leader = await site.control_plane("one")
        await site.register(leader)
        other = await site.control_plane("two")
        await site.put(other, "flow", "old")
        agent = await site.agent("one", [leader, other])
        rollouts = Rollouts(site, other)
        bake = [{"type": "bake", "seconds": 0.4, "interval": 0.1}]
        stages = [{"weight": weight, "after": "0s", "gates": bake} for weight in _WEIGHTS]
        rollout = await rollouts.start("flow", strategy="percentage", candidate="new", stages=stages)
        with anyio.fail_after(20):
            while len(await rollouts.events(rollout)) < 6:
                await anyio.sleep(0.01)
        leader.kill()
        done = await rollouts.until(rollout, "completed", within=30)
        events = await rollouts.events(rollout)
        expected = ["started", *["waiting", "advanced"] * (len(_WEIGHTS) - 1), "waiting", "completed"]
        assert [each["action"] for each in events] == expected
        assert done["version"] == len(expected)
        revisions = [each["revision"] for each in events if each["revision"] is not None]
        assert revisions == list(range(2, 2 + len(revisions)))
        await site.until_value(agent, "flow", "new", within=10)

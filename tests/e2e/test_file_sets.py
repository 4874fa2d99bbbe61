"""File sets in a fleet: what one agent's application does not bear is known everywhere, and spreads no further."""

import os
import signal
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.rig.file_sets import script
from tests.rig.installation import Installation, Servers, installation
from tests.rig.process import Process
from tests.rig.rollouts import Rollouts

pytestmark = pytest.mark.timeout(120)

KEY = "checkout.flow"
_SETS = """
web:
  directory: {out}
  files: app.json
  check: [{check}, "{{staged}}/app.json"]
"""


async def _set(site: Installation, agent: Process) -> Any:
    [found] = (await site.status(agent))["file_sets"]
    return found


async def _until_phase(site: Installation, agent: Process, phase: str) -> Any:
    with anyio.fail_after(20):
        while (found := await _set(site, agent))["phase"] != phase:
            await anyio.sleep(0.02)
    return found


async def test_a_gate_of_acknowledgements_fails_by_what_one_check_refuses(migrated_url: str, tmp_path: Path) -> None:
    """And the canary's application is served what it had, as all others are, once the rollout withdrew itself."""
    out, sets = tmp_path / "out", tmp_path / "sets.yaml"
    [check] = script(tmp_path / "check", 'echo "$TRIMTAB_KEYS"; ! grep -q new "$1"')
    sets.write_text(_SETS.format(out=out, check=check))
    async with installation(tmp_path, Servers(migrated_url)) as site:
        rollouts = Rollouts(site, await site.control_plane())
        await site.register(rollouts.via)
        await site.put(rollouts.via, KEY, "old")
        labels = "TRIMTAB_AGENT_LABELS"
        settings = {labels: "track=canary", "TRIMTAB_AGENT_FILE_SETS": str(sets)}
        canary = await site.agent("canary", [rollouts.via], **settings)
        other = await site.agent("other", [rollouts.via], **{labels: "track=stable"})
        await _until_phase(site, canary, "published")
        gates = [{"type": "acks"}, {"type": "bake", "seconds": 3_600}]
        stages = [{"labels": {"track": "canary"}, "gates": gates}, {"weight": 100_000}]
        rollout = await rollouts.start(KEY, strategy="canary", candidate="new", stages=stages)
        done = await rollouts.until(rollout, "aborted", within=30)
        assert done["outcome"] == "withdrawn"
        told = str((await rollouts.events(rollout))[-1]["detail"])
        assert "check ended with 1" in told, told
        await _until_phase(site, canary, "published")
        assert '"old"' in (out / "app.json").read_text()
        assert await site.value(other, KEY) == "old"


async def test_a_refusal_is_seen_everywhere_tried_again_on_a_hang_up_and_settings_are_followed(
    migrated_url: str, tmp_path: Path
) -> None:
    out, sets, allowed = tmp_path / "out", tmp_path / "sets.yaml", tmp_path / "allowed"
    [check] = script(tmp_path / "check", f"test -e {allowed}")
    sets.write_text(_SETS.format(out=out, check=check))
    async with installation(tmp_path, Servers(migrated_url)) as site:
        control_plane = await site.control_plane()
        await site.register(control_plane)
        await site.put(control_plane, KEY, "old")
        agent = await site.agent("a", [control_plane], TRIMTAB_AGENT_FILE_SETS=str(sets))
        found = await _until_phase(site, agent, "refused")
        assert found["detail"] == f"{check} ended with 1"
        async with site.session.get(f"{agent.url}/metrics") as answer:
            metrics = await answer.text()
        assert 'trimtab_agent_renderings_total{outcome="refused"} 1.0' in metrics
        assert 'trimtab_agent_hooks_total{hook="check",outcome="failed"} 1.0' in metrics
        assert "trimtab_agent_refusing 1.0" in metrics
        with anyio.fail_after(20):
            while not (remarks := (await site.get(control_plane, "/agents"))["items"][0]["remarks"]):
                await anyio.sleep(0.05)
        assert [(each["kind"], each["about"], each["refuses"]) for each in remarks] == [("file", "web", True)]
        await anyio.to_thread.run_sync(allowed.touch)
        os.kill(agent.pid, signal.SIGHUP)
        await _until_phase(site, agent, "published")
        assert '"old"' in (out / "app.json").read_text()
        await anyio.to_thread.run_sync(sets.write_text, _SETS.format(out=out, check="/bin/true"))
        await anyio.to_thread.run_sync(allowed.unlink)
        await site.put(control_plane, KEY, "new")
        with anyio.fail_after(20):
            while '"new"' not in await anyio.to_thread.run_sync((out / "app.json").read_text):
                await anyio.sleep(0.05)

"""A developer's override file at a real agent: served, marked, followed, and told to operators."""

import sys
from pathlib import Path
from typing import Any

import anyio

from tests.rig.installation import Installation, Servers, installation
from tests.rig.process import Process, clean_environ


async def _answer(site: Installation, agent: Process, key: str) -> dict[str, object]:
    async with site.session.get(f"{agent.url}/v1/configs/{key}") as answer:
        return dict(await answer.json())


async def _remarks(site: Installation, control_plane: Process) -> list[Any]:
    """What the fleet shows of its agents."""
    agents = (await site.get(control_plane, "/agents"))["items"]
    return [remark for each in agents for remark in each["remarks"]]


async def test_an_override_file_is_served_marked_followed_and_told(migrated_url: str, tmp_path: Path) -> None:
    file = anyio.Path(tmp_path / "override.yaml")
    await file.write_text("values: {limit: 50}")
    async with installation(tmp_path, Servers(migrated_url)) as site:
        control_plane = await site.control_plane()
        await site.register(control_plane)
        await site.put(control_plane, "limit", 1)
        agent = await site.agent("a", [control_plane], TRIMTAB_AGENT_OVERRIDE=str(file))
        answer = await _answer(site, agent, "limit")
        assert (answer["value"], answer["override"]) == (50, True)
        with anyio.fail_after(20):
            while not (remarks := await _remarks(site, control_plane)):
                await anyio.sleep(0.05)
        assert (remarks[0]["kind"], remarks[0]["refuses"]) == ("override", False)
        assert remarks[0]["detail"] == f"{file} overrides limit"
        await file.write_text("values: {limit: no}")
        with anyio.fail_after(20):
            while len((await site.status(agent))["remarks"]) == 1:
                await anyio.sleep(0.05)
        broken = (await site.status(agent))["remarks"][1]
        assert (broken["about"], "what it said before still holds" in broken["detail"]) == ("broken", True)
        assert await site.value(agent, "limit") == 50
        await file.write_text("")
        await site.until_value(agent, "limit", 1, 20)
        assert "override" not in await _answer(site, agent, "limit")
        await site.put(control_plane, "limit", 2)
        await site.until_value(agent, "limit", 2, 20)


async def test_an_agent_does_not_start_with_a_file_that_it_cannot_take(tmp_path: Path) -> None:
    environ = {
        "TRIMTAB_APP": "shop",
        "TRIMTAB_ENVIRONMENT": "prod",
        "TRIMTAB_CONTROL_PLANE_URL": "http://127.0.0.1:9",
        "TRIMTAB_AGENT_TOKEN": "tt_agent_x",
        "TRIMTAB_AGENT_STATE_DIR": str(tmp_path),
        "TRIMTAB_AGENT_OVERRIDE": str(tmp_path / "none.yaml"),
    }
    with anyio.fail_after(30):
        done = await anyio.run_process([sys.executable, "-m", "agent"], env=clean_environ() | environ, check=False)
    assert done.returncode == 2
    wrong = f"TRIMTAB_AGENT_OVERRIDE: {tmp_path}/none.yaml: it cannot be read (No such file or directory)"
    assert done.stderr.decode().splitlines() == [f"trimtab-agent: {wrong}"]

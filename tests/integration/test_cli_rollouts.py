"""`trimtab rollout` against the real API."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from control_plane.cli.calling import Api
from control_plane.cli.rollout_plan import read_gate, read_stage, read_weight
from control_plane.cli.rollouts import PATH, ask_patiently
from control_plane.domain.attribution import Attribution
from tests.fakes.fault_proxy import fault_proxy
from tests.rig.api import serving_api
from tests.rig.cli import Cli

PLACE = ("--app", "shop", "--env", "prod")
SYSTEM = Attribution("system")


@pytest.fixture
async def trimtab(migrated_url: str) -> AsyncIterator[Cli]:
    async with serving_api(migrated_url) as api:
        await api.register()
        cli = Cli(api)
        await cli("put", "pool", "20", *PLACE)
        await cli("put", "on", "true", *PLACE)
        yield cli


async def made(trimtab: Cli, *arguments: str) -> str:
    """The id of a new rollout."""
    said = await trimtab("rollout", "create", "pool", "40", *PLACE, *arguments, "--json")
    return str(said.document["id"])


async def test_a_rollout_is_previewed_made_driven_and_completed(trimtab: Cli) -> None:
    stages = ("--strategy", "percentage", "--stage", "10%@0s bake=1h", "--stage", "100%@2h")
    preview = (await trimtab("rollout", "preview", "pool", "40", *PLACE, *stages, "--context", "alice")).output
    assert "10 %\t0\tbake" in preview
    assert "pool: 20 [environment]" in preview or "alice" in preview
    assert "from 2 on" in preview or "from 1 on" in preview
    rollout = await made(trimtab, *stages, "-m", "More load.", "--label", "ticket=OPS-7")
    shown = (await trimtab("rollout", "show", rollout)).output
    assert "candidate  40" in shown
    assert "holds      it waits to be started" in shown
    assert (await trimtab("rollout", "start", rollout, "-m", "go")).output == f"{rollout} progressing, step 1/2, 10 %\n"
    assert rollout in (await trimtab("rollout", "list", "--phase", "open", *PLACE)).output
    assert "paused: lunch" in (await trimtab("rollout", "pause", rollout, "-m", "lunch")).output
    refused = await trimtab("rollout", "pause", rollout, code=1)
    assert "legal_actions" in refused.errors
    await trimtab("rollout", "resume", rollout, "--version", "3")
    await trimtab("rollout", "promote", rollout)
    assert "completed" in (await trimtab("rollout", "promote", rollout, "--full")).output
    history = [line.split("\t")[1] for line in (await trimtab("rollout", "history", rollout)).lines]
    assert history == ["promoted", "promoted", "resumed", "paused", "started", "created"]
    assert (await trimtab("get", "pool", *PLACE)).output == "40\n"


async def test_watching_ends_with_the_rollout_and_tells_how(trimtab: Cli) -> None:
    completing = await made(trimtab, "--strategy", "immediate", "--start")
    said = {}

    async def watch() -> None:
        said["completed"] = await trimtab("rollout", "watch", completing, "--interval", "0.05")

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        await trimtab.api.services.acting.driving(trimtab.api.services.evidences, SYSTEM).look()
    assert said["completed"].lines[-1].startswith("completed")
    aborted = await made(trimtab, "--strategy", "feature_flag", "--follows", "on", "--start")
    late = await trimtab("rollout", "watch", aborted, "--timeout", "0", code=3)
    assert "still progressing" in late.errors
    await trimtab("rollout", "abort", aborted, "-m", "it broke")
    ended = await trimtab("rollout", "watch", aborted, "--json", code=1)
    assert (ended.document["phase"], ended.document["reason"]) == ("aborted", "it broke")


async def test_whoever_watches_outlives_a_control_plane_that_is_away(
    trimtab: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    path, answers = f"{PATH}/{await made(trimtab, '--strategy', 'immediate')}", []

    async def ask(api: Api) -> None:
        answers.append(await anyio.to_thread.run_sync(ask_patiently, api, path, 0.05))

    async with fault_proxy(trimtab.api.url) as proxy, anyio.create_task_group() as group:
        proxy.refuse()
        group.start_soon(ask, Api(proxy.url(trimtab.api.url), trimtab.api.operator))
        with anyio.fail_after(10):
            while "asking again" not in capsys.readouterr().err:
                await anyio.sleep(0.01)
        proxy.heal()
    assert answers[0]["phase"] == "pending"


async def test_templates_are_kept_and_used_and_rollouts_cloned(trimtab: Cli, tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("alice\nbob\n\n")
    await trimtab("rollout", "template", "set", "careful", "--strategy", "user_targeting", "--users", f"@{users}")
    assert "careful" in (await trimtab("rollout", "template", "list")).output
    assert '["alice","bob"]' in (await trimtab("rollout", "template", "show", "careful")).output
    rollout = await made(trimtab, "--template", "careful")
    copy = await trimtab("rollout", "clone", rollout, "--group", "beta", "--json")
    assert "beta" in str(copy.document["when"])
    await trimtab("rollout", "template", "delete", "careful")
    assert "no rollout template" in (await trimtab("rollout", "template", "show", "careful", code=1)).errors
    file = tmp_path / "plan.json"
    file.write_text('{"strategy": "canary", "window": {"end": "2031-01-31T08:00:00", "time_zone": "UTC"}}')
    dry = await trimtab("rollout", "create", "pool", "50", *PLACE, "--file", str(file), "--dry-run")
    assert "5 %" in dry.output


async def test_what_makes_no_sense_is_refused_before_asking(trimtab: Cli) -> None:
    for arguments in (
        ["--stage", "soon"],
        ["--stage", "{"],
        ["--gate", "metric=5"],
        ["--gate", "bake=1x"],
        ["--gate", "acks=many"],
        ["--kind", "wish"],
        ["--file", "/does/not/exist"],
        ["--from", "soon"],
        ["--env", "prod"],
    ):
        await trimtab("rollout", "create", "pool", "1", *arguments, code=2)
    assert (await trimtab("rollout", "list")).output == ""


def test_stages_and_gates_are_read_as_people_write_them() -> None:
    assert read_stage("5%@10m bake=1h30m acks") == {
        "weight": 5_000,
        "after": "10m",
        "gates": [{"type": "bake", "seconds": 5_400}, {"type": "acks"}],
    }
    assert read_stage("track=canary,zone=a") == {"labels": {"track": "canary", "zone": "a"}}
    assert read_stage("100000@2030-01-31T08:00:00Z") == {"weight": 100_000, "at": "2030-01-31T08:00:00Z"}
    assert read_stage('{"weight": 1}') == {"weight": 1}
    assert read_gate("acks=0.9") == {"type": "acks", "share": 0.9}
    assert [read_weight(each) for each in ("0.001%", "100 %", "7", "x", "-1")] == [1, 100_000, 7, None, None]

"""`/metrics` of the agent: by Prometheus' own conventions, with bounded labels, and cheap on the way of reads."""

import re
import subprocess
from pathlib import Path

import pytest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from agent.local_api.answers import TIMED_EVERY
from agent.ports import UpstreamRefusedError, UpstreamUnavailableError
from agent.snapshot.durations import Durations
from agent.sync.results import Ending, Hook, Rendering
from shared.wire.messages import MalformedMessageError, UnsupportedSchemaError
from tests.fakes.snapshots import snapshot_of
from tests.integration.test_local_api import VALUES, Agent, agent
from tests.integration.test_local_api_evaluating import FLAG, entry, post, seeing
from tests.servers.prometheus import promtool

_PAGE = Path(__file__).parents[2] / "docs" / "agent-metrics.md"
_OURS = "trimtab_agent_"


async def exposition(it: Agent) -> str:
    return str((await it.get("/metrics"))[1].decode())


async def families(it: Agent) -> dict[str, Metric]:
    return {each.name: each for each in text_string_to_metric_families(await exposition(it))}


async def samples(it: Agent) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (each.name.removeprefix(_OURS), tuple(each.labels.values())): each.value
        for family in (await families(it)).values()
        for each in family.samples
    }


async def busy(it: Agent) -> None:
    """Make every family there is appear."""
    seeing(it, entry("f", FLAG, "flag"), entry("plain", 1))
    it.status.applied_at = it.clock.now()
    it.skew.measured(it.skew.begin(), 1_800_000_000_000)
    it.status.failed("sse", UpstreamUnavailableError("away"))
    it.remarks.tell("drift", "/run/app.json", "somebody edited it")
    it.remarks.tell("no kind of ours", "x", "y", refuses=True)
    it.results.rendered(Rendering.WRITTEN, 0.012)
    it.results.hooked(Hook.COMMAND, Ending.TIMED_OUT, 3.0)
    for path in ("values/plain", "configs/f?targetingKey=ada", "configs", "values/nothing", "explain/f", "nowhere"):
        await it.get(f"/v1/{path}")
    await post(it, "/v1/evaluate", {"context": {"targetingKey": "ada"}})


def promtool_says(*arguments: str, given: str = "") -> tuple[int, str]:
    command = [str(promtool()), *arguments]
    done = subprocess.run(  # noqa: S603 - a fixed program
        command, input=given, capture_output=True, text=True, timeout=30, check=False
    )
    return done.returncode, done.stdout + done.stderr


async def test_prometheus_own_linter_finds_nothing_to_say() -> None:
    async with agent() as it:
        await busy(it)
        assert promtool_says("check", "metrics", given=await exposition(it)) == (0, "")


async def test_every_family_has_our_prefix_a_help_text_and_a_line_in_the_documentation() -> None:
    documented = set(re.findall(r"`([a-z_]+)[`{]", _PAGE.read_text()))
    async with agent() as it:
        await busy(it)
        for family in (await families(it)).values():
            assert family.documentation
            if family.name.startswith("process_"):
                continue
            assert family.name.startswith(_OURS)
            name = family.name.removeprefix(_OURS) + ("_total" if family.type == "counter" else "")
            assert name in documented
            documented.discard(name)


async def test_the_documented_alerts_are_valid_and_speak_of_metrics_that_exist(tmp_path: Path) -> None:
    (rules,) = re.findall(r"```yaml\n(groups:.*?)```", _PAGE.read_text(), re.DOTALL)
    (tmp_path / "rules.yml").write_text(rules)
    code, output = promtool_says("check", "rules", str(tmp_path / "rules.yml"))
    assert (code, "SUCCESS" in output) == (0, True), output
    async with agent() as it:
        await busy(it)
        names = {each.name for family in (await families(it)).values() for each in family.samples}
    assert set(re.findall(r"trimtab_agent_[a-z_]+", rules)) <= names


async def test_reads_are_counted_by_face_and_outcome() -> None:
    async with agent() as it:
        await it.get("/v1/values/db.pool")
        it.live(snapshot_of(1, VALUES, sensitive=["db.host"]))
        etag = (await it.get("/v1/values/db.pool"))[2].headers["ETag"]
        for path in ("values/db.pool", "values/db.host", "values/none", "configs/db.pool?x:=oops", "configs"):
            await it.get(f"/v1/{path}", {"If-None-Match": etag})
        seen = await samples(it)
        reads = {labels: count for (name, labels), count in seen.items() if name == "reads_total" and count}
        assert reads == {
            ("value", "unready"): 1, ("value", "served"): 1, ("value", "not_modified"): 1, ("value", "refused"): 1,
            ("value", "missing"): 1, ("config", "served"): 1, ("configs", "served"): 1,
        }  # fmt: skip


async def test_other_protocols_are_faces_of_their_own() -> None:
    async with agent() as it:
        seeing(it, entry("f", FLAG, "flag"))
        await post(it, "/ofrep/v1/evaluate/flags/f", {"context": {}})
        await post(it, "/ofrep/v1/evaluate/flags", {"context": {}})
        await it.get("/applications/billing/environments/prod/configurations/f")
        seen = await samples(it)
        assert {labels for (name, labels), count in seen.items() if name == "reads_total" and count} == {
            ("ofrep", "served"), ("ofrep_bulk", "served"), ("appconfig", "served"),
        }  # fmt: skip


async def test_nothing_that_a_reader_makes_up_becomes_a_label() -> None:
    async with agent() as it:
        await busy(it)
        await exposition(it)
        before = await samples(it)
        for number in range(50):
            who = f"targetingKey=u{number}&groups=g{number}&a{number}=x"
            for path in (f"values/k{number}?{who}", f"configs?prefix=p{number}&{who}", f"nowhere-{number}"):
                await it.get(f"/v1/{path}")
            await it.session.request(f"M{number}", f"{it.url}/v1/values/x", headers={"User-Agent": f"n{number}"})
            it.remarks.tell(f"kind-{number}", "x", "y")
        after = await samples(it)
        assert after.keys() - before.keys() <= {
            ("http_requests_total", (route, status))
            for route in ("unmatched", "/v1/values/{key}", "/v1/configs")
            for status in ("2xx", "4xx")
        }


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (UpstreamUnavailableError("x"), "unavailable"),
        (UpstreamRefusedError("x"), "refused"),
        (UnsupportedSchemaError(9), "unsupported"),
        (MalformedMessageError("x"), "malformed"),
    ],
)
async def test_errors_of_the_other_side_are_counted_by_channel_and_reason(error: Exception, reason: str) -> None:
    async with agent() as it:
        it.status.failed("amqp", error)
        seen = await samples(it)
        counted = {labels: n for (name, labels), n in seen.items() if name == "upstream_errors_total" and n}
        assert counted == {("amqp", reason): 1}


async def test_renderings_hooks_and_remarks_are_told() -> None:
    async with agent() as it:
        await busy(it)
        seen = await samples(it)
        assert seen["renderings_total", ("written",)] == 1
        assert seen["hooks_total", ("command", "timed_out")] == 1
        assert seen["hook_duration_seconds_sum", ()] == 3.0
        assert (seen["remarks", ("drift",)], seen["remarks", ("other",)], seen["refusing", ()]) == (1, 1, 1)


async def test_documents_are_timed_and_of_single_evaluations_a_sample() -> None:
    async with agent() as it:
        seeing(it, entry("f", FLAG, "flag"))
        asked = 4 * TIMED_EVERY
        for number in range(asked):
            await it.get(f"/v1/configs/f?targetingKey=u{number}")
        await post(it, "/v1/evaluate", {"context": {}})
        seen = await samples(it)
        assert 2 <= seen["evaluation_duration_seconds_count", ("one",)] <= asked / 2
        assert seen["evaluation_duration_seconds_count", ("many",)] == 1
        assert seen["evaluations_total", ("DEFAULT",)] == asked + 1


def test_a_histogram_holds_each_duration_once() -> None:
    durations, given = Durations((0.1, 1.0)), [0.05, 0.1, 0.5, 1.0, 7.0]
    for each in given:
        durations.add(each)
    assert (durations.buckets, durations.seconds) == ([2, 2, 1], sum(given))

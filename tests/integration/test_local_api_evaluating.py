"""What applications get from the agent depends on who asks and when, and the agent can say why."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from agent.files.file_set import FileSet
from agent.files.renderer import Renderer
from agent.files.target import File, Format
from agent.snapshot.model import Snapshot
from agent.snapshot.own import own_context
from agent.sync.clockwork import Clockwork
from shared.domain.codec import Json, decode, encode
from shared.domain.entry import Entry
from shared.runtime.clock import unix_ms
from shared.runtime.lifecycle import running
from tests.fakes.clock import ManualClock
from tests.integration.test_local_api import Agent, agent
from tests.rig.entries import FLAG, START, WHEN, entry, exposure, seeing
from tests.rig.vectors import vectors


def speaking(it: Agent, context: Json) -> None:
    """Let the agent itself know what no request can say."""
    it.own.clear()
    it.own |= {name: each for name, each in context.items() if name.startswith("agent.")}


JSON = {"Content-Type": "application/json"}


async def post(it: Agent, path: str, body: Json) -> tuple[int, Any]:
    async with it.session.post(it.url + path, data=encode(body), headers=JSON) as answer:
        return answer.status, decode(await answer.read())


@pytest.mark.parametrize(
    ("query", "value", "reason"),
    [
        ("", False, "DEFAULT"),
        ("?country=SE", True, "TARGETING_MATCH"),
        ("?country=NO&age:=70", True, "TARGETING_MATCH"),
        ("?age=70", False, "DEFAULT"),
        ("?groups=alpha,beta", True, "TARGETING_MATCH"),
        ("?groups=alpha&groups=beta", True, "TARGETING_MATCH"),
        ("?agent.label.region=mars", False, "DEFAULT"),
    ],
)
async def test_a_flag_is_decided_by_the_query(query: str, value: bool, reason: str) -> None:  # noqa: FBT001 - given
    async with agent() as it:
        seeing(it, entry("f", FLAG, "flag"))
        status, document, answer = await it.get(f"/v1/configs/f{query}")
        assert (status, document["value"], document["reason"]) == (200, value, reason)
        assert (await it.get(f"/v1/values/f{query}"))[1] is value
        again = await it.get(f"/v1/configs/f{query}", {"If-None-Match": answer.headers["ETag"]})
        assert again[0] == 304


@pytest.mark.parametrize(
    ("query", "pointer"), [("age:=", "?age:"), ("x:={}", "?x"), (f"a={'x' * 2_000}", "?a"), ("=x", "?")]
)
async def test_a_context_that_cannot_be_taken_is_refused(query: str, pointer: str) -> None:
    async with agent() as it:
        seeing(it, entry("f", FLAG, "flag"))
        status, problem, _ = await it.get(f"/v1/configs/f?{query}")
        assert (status, [each["pointer"] for each in problem["violations"]]) == (422, [pointer])


async def test_a_rollout_shows_in_the_answer_and_outcomes_can_be_told_by_it() -> None:
    async with agent() as it:
        seeing(it, entry("k", "old", rollout=exposure((0, 50_000))))
        arms = {}
        for user in range(40):
            document = (await it.get(f"/v1/configs/k?targetingKey=u{user}"))[1]
            assert document["value"] == {"candidate": "new", "baseline": "old"}[document["arm"]]
            assert (document["variant"], document["reason"]) == (document["arm"], "SPLIT")
            arms[document["arm"]] = document["rollout"]
            told = {"rollout": document["rollout"], "arm": document["arm"], "success": 1}
            assert (await post(it, "/v1/outcomes", told))[1] == {"counted": 1, "ignored": 0}
        assert len(arms) == 2
        document = (await it.get("/v1/configs/k"))[1]
        assert (document["value"], document["error"]) == ("old", "TARGETING_KEY_MISSING")


async def test_many_are_evaluated_at_once_and_one_that_fails_fails_alone() -> None:
    async with agent() as it:
        seeing(it, entry("a", 1), entry("f", FLAG, "flag"), entry("s", {"when": WHEN}, "segment"))
        asked = {"context": {"country": "SE"}, "keys": ["f", "s", "gone", "a"]}
        status, document = await post(it, "/v1/evaluate", asked)
        assert status == 200
        assert [document["configs"][key].get("value") for key in ("f", "a")] == [True, 1]
        assert [document["configs"][key] for key in ("s", "gone")] == [
            {"key": "s", "error": "FLAG_NOT_FOUND"},
            {"key": "gone", "error": "FLAG_NOT_FOUND"},
        ]
        whole = (await post(it, "/v1/evaluate", {"context": {"age": 70}}))[1]
        assert (list(whole["configs"]), whole["configs"]["f"]["value"]) == (["a", "f"], True)
        assert (await it.get("/v1/configs?country=SE"))[1]["configs"]["f"]["value"] is True
        assert (await it.get("/v1/configs"))[1]["configs"]["f"]["value"] is False


async def test_a_few_are_the_same_however_often_they_are_asked_for_and_change_with_what_they_depend_on() -> None:
    async with agent() as it:
        secret = Entry("s", "value", b'"hidden"', 1, 1, sensitive=True)
        seeing(it, entry("a", 1), entry("f", FLAG, "flag"), secret)
        asked = {"context": {"country": "SE"}, "keys": ["f", "a", "f", "s", "gone"]}
        first = await post(it, "/v1/evaluate", asked)
        before = dict(it.usage.reasons)
        assert [await post(it, "/v1/evaluate", asked) for _ in range(3)] == [first] * 3
        given = {reason: it.usage.reasons[reason] - before[reason] for reason in before}
        assert given == {"TARGETING_MATCH": 3, "STATIC": 6, "ERROR": 3}
        assert [each.get("value") for each in first[1]["configs"].values()] == [True, 1, None, None]
        other = await post(it, "/v1/evaluate", asked | {"context": {"country": "DE"}})
        assert other[1]["configs"]["f"]["value"] is False
        it.status.last_confirmed = None
        stale = await post(it, "/v1/evaluate", asked)
        assert stale[1]["configs"]["a"]["reason"] == "STALE"
        it.status.last_confirmed = it.clock.monotonic()
        seeing(it, entry("a", 2), entry("f", FLAG, "flag"), secret)
        swapped = await post(it, "/v1/evaluate", asked)
        assert (swapped[1]["configs"]["a"]["value"], swapped[1]["revision"]) == (2, it.store.current.revision)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"keys": "f"}, "/keys"),
        ({"keys": ["a/b"]}, "/keys/0"),
        ({"context": []}, "/context"),
        ({"context": {"a": {}}}, "/context/a"),
        ({"context": {"targetingKey": 5}}, "/context/targetingKey"),
        ({"more": 1}, "/more"),
        ([], ""),
    ],
)
async def test_a_request_to_evaluate_that_cannot_be_taken_is_refused(body: Json, pointer: str) -> None:
    async with agent() as it:
        seeing(it, entry("a", 1))
        status, problem = await post(it, "/v1/evaluate", body)
        assert (status, [each["pointer"] for each in problem["violations"]]) == (422, [pointer])


async def test_segments_are_no_configs_and_what_is_not_understood_has_no_value() -> None:
    async with agent() as it:
        strange = Entry("z", "hologram", b"1", 1, 5)
        seeing(it, entry("s", {"when": WHEN}, "segment"), strange, entry("k", "old", rollout={"schema": 9}))
        status, problem, _ = await it.get("/v1/configs/s")
        assert (status, "segment" in problem["detail"]) == (404, True)
        assert (await it.get("/v1/configs/z"))[1]["error"] == "PARSE_ERROR"
        assert (await it.get("/v1/values/z"))[0] == 404
        assert (await it.get("/v1/values/k"))[1] == "old"
        assert set(it.store.current.program.unsupported) == {"z", "k"}


async def test_explain_tells_each_step_and_no_value() -> None:
    async with agent() as it:
        rollout = exposure((0, 10_000), candidate="candidate-value")
        seeing(it, entry("k", "baseline-value", rollout=rollout))
        it.own["agent.instance"] = "one"
        status, document, answer = await it.get("/v1/explain/k?targetingKey=alice")
        assert status == 200
        assert [each["kind"] for each in document["scopes"]] == [None, None, "value"]
        assert (document["agent"], document["revision"]) == ({"agent.instance": "one"}, 1)
        text = await answer.text()
        assert "10000" in text
        assert "bucket" in text
        assert "-value" not in text
        same = (await post(it, "/v1/explain/k", {"context": {"targetingKey": "alice"}}))[1]
        assert same["steps"] == document["steps"]
        assert (await it.get("/v1/explain/gone"))[0] == 404


async def test_the_vectors_of_conditions_hold_at_the_agent() -> None:
    async with agent() as it:
        for case in vectors("conditions")["conditions"]:
            configs = [entry(key, each) for key, each in case.get("configs", {}).items()]
            segments = [entry(key, each, "segment") for key, each in case.get("segments", {}).items()]
            flag = FLAG | {"rules": [{"when": case["condition"], "serve": "on"}]}
            seeing(it, entry("case", flag, "flag"), *configs, *segments)
            speaking(it, case["context"])
            status, document = await post(it, "/v1/evaluate", {"context": case["context"], "keys": ["case"]})
            if "[[" in encode(case["context"]).decode():  # requests have no lists within lists
                assert status == 422
                continue
            assert status == 200, (case["name"], document)
            found = document["configs"]["case"]
            expected = (False, "GENERAL") if case["expected"] is None else (case["expected"], None)
            assert (found["value"], found.get("error")) == expected, case["name"]


@pytest.mark.parametrize("name", ["flags", "exposures"])
async def test_the_vectors_hold_at_the_agent_at_their_moments(name: str) -> None:
    for case in vectors(name)["cases"]:
        clock = ManualClock()
        async with agent(clock=clock) as it:
            seeing(
                it,
                *(
                    entry(key, each.get("value"), each["kind"], each.get("rollout"))
                    for key, each in case["configs"].items()
                    if "below" not in each
                ),
            )
            if any("below" in each for each in case["configs"].values()):
                continue
            for asked in case["asked"]:
                clock.set(datetime.fromtimestamp(asked.get("at", case.get("at", 0)) / 1000, UTC))
                speaking(it, asked["context"])
                body = {"context": asked["context"], "keys": [case["key"]]}
                seen = (await post(it, "/v1/evaluate", body))[1]["configs"][case["key"]]
                assert seen.get("value") == asked.get("value"), (case["name"], asked)
                assert seen.get("arm") == asked.get("arm"), (case["name"], asked)


async def test_files_and_watchers_follow_the_clock_without_any_message(tmp_path: Path) -> None:
    clock = ManualClock()
    clock.set(START)
    own = own_context("one", "billing", "prod", {})
    path = tmp_path / "configs.json"
    async with agent(clock=clock) as it:
        at = unix_ms(START)
        it.own |= own.attributes
        seeing(it, entry("k", "old", rollout=exposure((at + 1_000, 100_000), unit="instance")), entry("a", 1))
        renderer = Renderer(it.store, [FileSet.alone(File(path, Format.JSON))], clock, tmp_path / "state", own=own)
        clockwork = Clockwork(it.store, clock)
        async with running(renderer.run), it.session.get(f"{it.url}/v1/watch") as stream:
            assert decode(path.read_bytes())["k"] == "old"
            clock.advance(2)
            clockwork.look(at)
            await _until(path, "new")
            with anyio.fail_after(5):
                async for line in stream.content:
                    if b'"changed"' in line:
                        assert decode(line.removeprefix(b"data: "))["changed"] == ["k"]
                        break
            assert (await it.get("/v1/configs"))[1]["configs"]["k"]["value"] == "new"
            clock.advance(-2)  # the clock was set back
            clockwork.look(at + 2_000)
            await _until(path, "old")
            assert (await it.get("/v1/configs"))[1]["configs"]["k"]["value"] == "old"


def _shown(path: Path) -> Json:
    return decode(path.read_bytes())["k"]


async def _until(path: Path, value: Json) -> None:
    with anyio.fail_after(5):
        while _shown(path) != value:
            await anyio.sleep(0.005)


async def test_a_clockwork_wakes_at_the_moment_itself() -> None:
    async with agent() as it:
        now = unix_ms(it.clock.now())
        heard = anyio.Event()
        seeing(it, entry("k", "old", rollout=exposure((now + 300, 100_000), unit="instance")))
        with it.store.subscribe_time(lambda _snapshot, _keys: heard.set()):
            async with running(Clockwork(it.store, it.clock).run):
                with anyio.fail_after(5):
                    await heard.wait()
        assert 300 <= unix_ms(it.clock.now()) - now < 3_000
        assert Snapshot.empty("billing", "prod").program.next_moment(0) is None

"""Whatever flags, segments and values are written in whatever order, every reference leads somewhere, and in no circle."""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from control_plane.domain.change import Op, Operation
from control_plane.domain.content import SEGMENT, key_of, references
from shared.domain.codec import canonical
from shared.domain.condition import All, AnyOf, Condition, Not, OfConfig, OfSegment, parse_condition
from shared.domain.entry import Kind
from shared.domain.scope import Scope
from tests.rig.api import Answer, Api, serving_api

_SETTINGS = settings(max_examples=60, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
_PAIRS = [("a", "dev"), ("a", "prod"), ("b", "prod")]
_SCOPES = [(None, None), (None, None), ("a", None), ("b", None), *_PAIRS]
_KEYS = ["k", "l", "m", "s", "t"]

_keys = st.sampled_from(_KEYS)
_leaves = (
    st.just({"attribute": "x", "op": "exists"})
    | st.builds(lambda key: {"segment": key}, st.sampled_from(["s", "t", "s", "t", "k"]))
    | st.builds(lambda key: {"config": key, "op": "exists"}, _keys)
)
_conditions = st.recursive(
    _leaves,
    lambda inner: st.builds(
        lambda name, parts: {name: parts[0] if name == "not" else parts},
        st.sampled_from(["all", "any", "not"]),
        st.lists(inner, min_size=1, max_size=2),
    ),
    max_leaves=3,
)
_rules = st.lists(st.builds(lambda when: {"when": when, "serve": "a"}, _conditions), max_size=2)


@st.composite
def _operation(draw: st.DrawFn) -> Any:
    app_id, environment = draw(st.sampled_from(_SCOPES))
    op = draw(st.sampled_from(["put"] * 6 + ["delete", "mask", "unmask"]))
    key = draw(_keys)
    found = {"op": op, "app_id": app_id, "environment": environment, "key": key}
    if op != "put":
        return found
    usual = "segment" if key in "st" else draw(st.sampled_from(["flag", "flag", "value"]))
    match draw(st.sampled_from([usual] * 5 + ["flag", "segment", "value"])):
        case "flag":
            return found | {"flag": {"variants": {"a": 1, "b": 2}, "default": "b", "rules": draw(_rules)}}
        case "segment":
            return found | {"segment": {"when": draw(_conditions)}}
        case _:
            return found | {"value": 1}


_changes = st.lists(
    _operation(), min_size=1, max_size=5, unique_by=lambda each: (each["app_id"], each["environment"], each["key"])
)
_sequences = st.lists(st.lists(_changes, min_size=1, max_size=3), max_size=8)


@given(_conditions)
def test_references_are_found_wherever_they_stand(condition: Any) -> None:
    document = {"when": condition}
    operation = Operation(Op.PUT, Scope(), "x", canonical(document), kind=Kind.SEGMENT)
    found = list(references(operation))
    assert {each.stored for each in found} == set(_named(parse_condition(condition)))
    for each in found:
        here = {"segment": document}
        for step in each.pointer.split("/")[1:]:
            here = here[int(step) if isinstance(here, list) else step]
        assert here == each.key


def _named(condition: Condition) -> list[str]:
    match condition:
        case OfSegment(key):
            return [SEGMENT + key]
        case OfConfig(key):
            return [key]
        case All(parts) | AnyOf(parts):
            return [each for part in parts for each in _named(part)]
        case Not(part):
            return _named(part)
        case _:
            return []


@pytest.mark.timeout(240)
async def test_no_reference_is_left_dangling_or_in_a_circle(migrated_url: str) -> None:
    """Changes of one step are sent at the same time."""
    async with serving_api(migrated_url) as api:
        for app_id, environment in _PAIRS:
            await api.register(app_id, environment)
        statuses: list[int] = []

        async def check(sequence: list[list[Any]]) -> None:
            for together in sequence:
                answers: list[Answer] = []

                async def send(operations: Any, answers: list[Answer] = answers) -> None:
                    answers.append(await api.post("/changes", {"operations": operations, "force": {"reason": "r"}}))

                async with anyio.create_task_group() as group:
                    for operations in together:
                        group.start_soon(send, operations)
                statuses.extend(each.status for each in answers)
                assert not [each.body for each in answers if each.status not in {201, 409, 422}]
                await _require_sound(api)

        await _hypothesis(_sequences, check)
        assert statuses.count(201) > 40
        assert statuses.count(422) > 40


async def _require_sound(api: Api) -> None:
    items = (await api.get("/configs?limit=500")).document["items"]
    entries = {(each["app_id"], each["environment"], each["key"]): each for each in items}
    for app_id, environment in _PAIRS:
        seen = {}
        for key in _KEYS:
            places = ((app_id, environment), (app_id, None), (None, None))
            found = next((entries[*place, key] for place in places if (*place, key) in entries), None)
            if found is not None and found["kind"] != "mask":
                seen[key] = found
        graph = {key: _refs(each) for key, each in seen.items()}
        for refs in graph.values():
            for ref in refs:
                assert key_of(ref) in seen, (app_id, environment, graph)
                assert (seen[key_of(ref)]["kind"] == "segment") is ref.startswith(SEGMENT)
        left = {key: {key_of(ref) for ref in refs} for key, refs in graph.items()}
        while free := {key for key, targets in left.items() if not targets}:
            left = {key: targets - free for key, targets in left.items() if key not in free}
        assert not left, f"in a circle: {left}"


def _refs(config: Any) -> list[str]:
    if config["kind"] not in {"flag", "segment"}:
        return []
    content = canonical(config[config["kind"]])
    found = references(Operation(Op.PUT, Scope(), "x", content, kind=Kind(config["kind"])))
    return [each.stored for each in found]


async def _hypothesis(strategy: st.SearchStrategy[Any], check: Callable[[Any], Awaitable[None]]) -> None:
    """Run examples from a worker thread, each on this event loop."""

    @_SETTINGS
    @given(strategy)
    def run(example: Any) -> None:
        anyio.from_thread.run(check, example)

    await anyio.to_thread.run_sync(run)

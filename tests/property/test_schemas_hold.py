"""Whatever is written in whatever order, every effective value fits every schema, and what is refused changes nothing."""

from collections.abc import Awaitable, Callable
from fnmatch import fnmatchcase
from typing import Any

import anyio
import jsonschema_rs
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from shared.domain.codec import decode, encode
from shared.domain.scope import Scope
from tests.rig.api import Answer, Api, serving_api

_SETTINGS = settings(max_examples=40, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
_PAIRS = [("a", "dev"), ("a", "prod"), ("b", "prod")]
_SCOPES = [(None, None), ("a", None), ("b", None), *_PAIRS]
_KEYS = ["k", "k.x", "l"]

_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "aa", "b"]) | st.floats(-2, 2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)
_types = st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])
_schemas = st.recursive(
    st.booleans()
    | st.builds(lambda types: {"type": types}, _types | st.lists(_types, min_size=1, unique=True))
    | st.builds(lambda limit: {"maximum": limit, "minLength": max(0, limit)}, st.integers(-2, 2))
    | st.builds(lambda values: {"enum": values}, st.lists(_values, max_size=2))
    | st.builds(lambda pattern: {"pattern": pattern}, st.sampled_from(["^a+$", "(a|a)*b", ".", "(?=a)", "(", r"\1"]))
    | st.builds(lambda ref: {"$ref": ref}, st.sampled_from(["#", "#/$defs/x", "http://x/", "file:///etc/passwd", "%"])),
    lambda inner: (
        st.builds(
            lambda word, schema: {word: [schema] if word.endswith("Of") else schema},
            st.sampled_from(
                ["not", "allOf", "anyOf", "oneOf", "items", "contains", "additionalProperties", "if", "then"]
            ),
            inner,
        )
        | st.builds(lambda one, other: {"properties": {"a": one}, "$defs": {"x": other}}, inner, inner)
    ),
    max_leaves=4,
)
_junk = st.recursive(
    st.none() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=5) | _schemas,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["type", "$ref", "$id", "$anchor", "$defs", "properties", "items", "pattern", "required", "enum"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@st.composite
def _operation(draw: st.DrawFn) -> Any:
    (app_id, environment), op = (
        draw(st.sampled_from(_SCOPES)),
        draw(st.sampled_from(["put"] * 4 + ["delete", "mask", "unmask"])),
    )
    found = {"op": op, "app_id": app_id, "environment": environment, "key": draw(st.sampled_from(_KEYS))}
    if op == "put":
        found |= {"value": draw(_values), "sensitive": draw(st.none() | st.booleans())}
    return found


_changes = st.lists(
    _operation(), min_size=1, max_size=4, unique_by=lambda each: (each["app_id"], each["environment"], each["key"])
)
_asked = st.fixed_dictionaries(
    {
        "app_id": st.sampled_from([None, "a", "b"]),
        "pattern": st.sampled_from(["*", "k", "k*", "*.x", "l"]),
        "schema": _schemas | _junk,
    }
)
_actions = st.lists(
    st.tuples(st.sampled_from(["change"] * 5 + ["force"] * 3 + ["schema"] * 3 + ["drop"]), _changes, _asked),
    max_size=12,
)


@pytest.mark.timeout(240)
async def test_every_effective_value_fits_every_schema_after_any_sequence(migrated_url: str) -> None:
    async with serving_api(migrated_url) as api:
        for app_id, environment in _PAIRS:
            await api.register(app_id, environment)
        refused = 0

        async def check(actions: list[tuple[str, Any, Any]]) -> None:
            nonlocal refused
            await _forget_schemas(api)
            for action, operations, asked in actions:
                before = await _state(api)
                answer = await _act(api, action, operations, asked)
                assert answer.status < 500, answer.body
                if answer.status >= 400:
                    refused += 1
                    assert await _state(api) == before
                await _require_fitting(api)

        await _hypothesis(_actions, check)
        assert refused > 20, "hardly anything was refused, so hardly anything was tried"


@pytest.mark.timeout(240)
async def test_a_preview_says_what_the_change_then_does(migrated_url: str) -> None:
    async with serving_api(migrated_url) as api:
        for app_id, environment in _PAIRS:
            await api.register(app_id, environment)
        kinds = set()

        async def check(actions: list[tuple[str, Any, Any]]) -> None:
            await _forget_schemas(api)
            for action, operations, asked in actions:
                if action in {"schema", "drop"}:
                    await _act(api, action, operations, asked)
                    continue
                body = {"operations": operations, **({"force": {"reason": "r"}} if action == "force" else {})}
                preview = await api.post("/changes/preview", body)
                before = await _effective(api)
                done = await api.post("/changes", body)
                kinds.add((preview.status, done.status))
                if preview.status != 200:
                    assert preview.status == done.status
                    continue
                assert preview.document["would_commit"] is (done.status == 201), (preview.body, done.body)
                if done.status == 201:
                    after = await _effective(api)
                    told = {
                        (each["app_id"], each["environment"], each["key"])
                        for each in preview.document["differences"]["items"]
                    }
                    changed = {place for place in before.keys() | after.keys() if before.get(place) != after.get(place)}
                    assert told == changed

        await _hypothesis(_actions, check)
        assert {(200, 201), (200, 409), (200, 422), (422, 422)} <= kinds


async def _act(api: Api, action: str, operations: Any, asked: Any) -> Answer:
    match action:
        case "change":
            return await api.post("/changes", {"operations": operations})
        case "force":
            return await api.post("/changes", {"operations": operations, "force": {"reason": "r"}})
        case "schema":
            return await api.post("/schemas", None, raw=encode(asked))
        case _:
            known = (await api.get("/schemas")).document["items"]
            identity = known[0]["id"] if known else "00000000-0000-0000-0000-000000000000"
            return await api.delete(f"/schemas/{identity}", headers={"If-Match": "*"})


async def _forget_schemas(api: Api) -> None:
    for each in (await api.get("/schemas")).document["items"]:
        await api.delete(f"/schemas/{each['id']}", headers={"If-Match": "*"})


async def _state(api: Api) -> list[bytes]:
    return [(await api.get(path)).body for path in ("/configs?include_deleted=true", "/changes", "/schemas")]


async def _effective(api: Api) -> dict[tuple[str, str, str], Any]:
    """What every app/environment sees, secrets too."""
    stand = await api.services.rules._book.stand(_KEYS, None)
    found = {}
    for app_id, environment in _PAIRS:
        for key in _KEYS:
            if (entry := _resolved(stand.entries.get(key, {}), app_id, environment)) is not None:
                found[app_id, environment, key] = (entry.value, entry.sensitive)
    return found


async def _require_fitting(api: Api) -> None:
    schemas = (await api.get("/schemas")).document["items"]
    if not schemas:
        return
    for (app_id, _, key), (value, _) in (await _effective(api)).items():
        for schema in schemas:
            if schema["app_id"] in {None, app_id} and fnmatchcase(key, schema["pattern"]):
                assert jsonschema_rs.Draft202012Validator(schema["schema"]).is_valid(decode(value)), (schema, key)


def _resolved(entries: Any, app_id: str, environment: str) -> Any:
    for scope in (Scope(app_id, environment), Scope(app_id), Scope()):
        if scope in entries:
            return entries[scope] if entries[scope].value else None
    return None


async def _hypothesis(strategy: st.SearchStrategy[Any], check: Callable[[Any], Awaitable[None]]) -> None:
    @_SETTINGS
    @given(strategy)
    def run(example: Any) -> None:
        anyio.from_thread.run(check, example)

    await anyio.to_thread.run_sync(run)

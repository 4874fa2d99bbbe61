"""The control plane resolves for a context as agents do: the vectors of flags hold over its API."""

from collections.abc import AsyncIterator

import pytest

from shared.domain.codec import Json
from tests.rig.api import Api, serving_api
from tests.rig.vectors import vectors


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as api:
        await api.register("shop", "prod")
        yield api


def _put(key: str, config: Json) -> Json:
    return {"op": "put", "app_id": "shop", "environment": "prod", "key": key, config["kind"]: config["value"]}


async def _fetch(api: Api, context: Json, *keys: str) -> Json:
    fetched = await api.post(
        "/configs/fetch", {"app_id": "shop", "environment": "prod", "keys": list(keys), "context": context}
    )
    assert fetched.status == 200, fetched.body
    return fetched.document


async def test_the_vectors_of_flags_hold_over_the_api(api: Api) -> None:
    written = 0
    for case in vectors("flags")["cases"]:
        operations = [_put(key, config) for key, config in case["configs"].items()]
        change = {"message": case["name"], "operations": operations, "force": {"reason": "another case"}}
        made = await api.post("/changes", change)
        if made.status == 422:  # what does not lead anywhere or is not understood cannot be written
            assert any(each["reason"] == "ERROR" or "error" in each for each in case["asked"]), (
                case["name"],
                made.body,
            )
            continue
        assert made.status == 201, (case["name"], made.body)
        written += 1
        for each in case["asked"]:
            found = (await _fetch(api, each["context"], case["key"]))["configs"][case["key"]]
            right = {name: each.get(name) for name in ("value", "variant", "reason", "error")}
            assert {name: found[name] for name in right} == right, (case["name"], each)
    assert written > 15


async def test_segments_are_no_configs_to_be_fetched(api: Api) -> None:
    segment = {"kind": "segment", "value": {"when": {"attribute": "country", "op": "eq", "values": ["SE"]}}}
    made = await api.post("/changes", {"message": "a segment", "operations": [_put("nordics", segment)]})
    assert made.status == 201, made.body
    fetched = await _fetch(api, {"country": "SE"}, "nordics")
    assert (fetched["configs"], fetched["missing"]) == ({}, ["nordics"])


async def test_nothing_is_told_of_a_sensitive_flag(api: Api) -> None:
    flag = {"variants": {"hunter2": "hunter2", "none": None}, "default": "hunter2"}
    made = await api.post(
        "/configs", {"app_id": "shop", "environment": "prod", "key": "secret", "flag": flag, "sensitive": True}
    )
    assert made.status == 201, made.body
    fetched = await _fetch(api, {"targetingKey": "alice"}, "secret")
    found = fetched["configs"]["secret"]
    assert (found["value"], found["variant"], found["reason"]) == (None, None, "UNKNOWN")


async def test_the_past_is_resolved_for_a_context_as_well(api: Api) -> None:
    segment = {"kind": "segment", "value": {"when": {"attribute": "country", "op": "eq", "values": ["SE"]}}}
    rules = [{"when": {"segment": "nordics"}, "serve": "on"}]
    flag = {"kind": "flag", "value": {"variants": {"on": True, "off": False}, "default": "off", "rules": rules}}
    operations = [_put("nordics", segment), _put("checkout", flag)]
    made = await api.post("/changes", {"message": "a flag", "operations": operations})
    assert made.status == 201, made.body
    revision = made.document["revision"]
    gone = {"op": "delete", "app_id": "shop", "environment": "prod", "key": "checkout"}
    assert (await api.post("/changes", {"message": "gone", "operations": [gone]})).status == 201
    asked = {"app_id": "shop", "environment": "prod", "keys": ["checkout"], "revision": revision}
    for country, right in (("SE", "on"), ("DE", "off")):
        fetched = await api.post("/configs/fetch", asked | {"context": {"country": country}})
        assert fetched.document["configs"]["checkout"]["variant"] == right
        assert list(fetched.document["configs"]) == ["checkout"]

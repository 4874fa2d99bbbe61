"""Conditions over the API of the control plane: their vectors hold, and what is none is refused with its places."""

from collections.abc import AsyncIterator

import pytest

from shared.domain.codec import Json, encode
from tests.rig.api import Api, serving_api
from tests.rig.vectors import vectors

CASES, REFUSED = vectors("conditions")["conditions"], vectors("conditions")["refused"]
PLACE = {"app_id": "shop", "environment": "prod"}
DECIDED = [
    each for each in CASES if each["expected"] is not None and '"gone"' not in encode(each["condition"]).decode()
]
"""Those whose references lead somewhere: others cannot be written."""


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as api:
        await api.register("shop", "prod")
        yield api


def _put(key: str, **content: Json) -> Json:
    return {"op": "put", **PLACE, "key": key, **content}


def _flag(when: Json) -> Json:
    return {"variants": {"no": False, "yes": True}, "default": "no", "rules": [{"when": when, "serve": "yes"}]}


async def test_the_vectors_of_conditions_hold_over_the_api(api: Api) -> None:
    segments = {key: each for case in DECIDED for key, each in case.get("segments", {}).items()}
    configs = {key: each for case in DECIDED for key, each in case.get("configs", {}).items()}
    operations = [_put(key, segment=each) for key, each in segments.items()]
    operations += [_put(key, value=each) for key, each in configs.items()]
    operations += [_put(f"case-{index}", flag=_flag(case["condition"])) for index, case in enumerate(DECIDED)]
    made = await api.post("/changes", {"message": "all cases", "operations": operations})
    assert made.status == 201, made.body
    for index, case in enumerate(DECIDED):
        key = f"case-{index}"
        fetched = await api.post("/configs/fetch", {**PLACE, "keys": [key], "context": case["context"]})
        if "[[" in encode(case["context"]).decode():  # requests have no lists within lists
            assert fetched.status == 422
            continue
        assert fetched.status == 200, (case["name"], fetched.body)
        found = fetched.document["configs"][key]
        assert (found["value"], found["error"]) == (case["expected"], None), case["name"]


async def test_what_is_no_condition_is_refused_with_its_places(api: Api) -> None:
    for case in REFUSED:
        made = await api.post("/configs", {**PLACE, "key": "s", "segment": {"when": case["condition"]}})
        assert made.status == 422, (case["name"], made.body)
        pointers = [each["pointer"] for each in made.document["violations"]]
        assert sorted(pointers) == sorted(f"/segment/when{each}" for each in case["pointers"]), case["name"]


async def test_a_hundred_thousand_users_are_kept_and_found(api: Api) -> None:
    users = [str(number) for number in range(100_000)]
    when = {"attribute": "targetingKey", "op": "in", "values": users}
    made = await api.post("/configs", {**PLACE, "key": "many", "segment": {"when": when}})
    assert made.status == 201, made.body
    made = await api.post("/configs", {**PLACE, "key": "f", "flag": _flag({"segment": "many"})})
    assert made.status == 201, made.body
    for user, expected in (("0", True), ("99999", True), ("100000", False)):
        fetched = await api.post("/configs/fetch", {**PLACE, "keys": ["f"], "context": {"targetingKey": user}})
        assert fetched.document["configs"]["f"]["value"] is expected

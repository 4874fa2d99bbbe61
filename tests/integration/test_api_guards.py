"""Guards over HTTP: what is hit, what lets it pass, and what is kept of that."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from control_plane.domain.limits import Limits
from tests.rig.api import Answer, Api, serving_api

FORCE = {"reason": "the readers were told"}


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url, Limits(operations=60)) as api:
        await api.register("shop", "prod")
        await api.register("shop", "dev")
        yield api


def _put(key: str, value: Any, app_id: str | None = "shop", environment: str | None = None, **more: Any) -> Any:
    return {"op": "put", "app_id": app_id, "environment": environment, "key": key, "value": value, **more}


def _delete(key: str, app_id: str | None = "shop", environment: str | None = None) -> Any:
    return {"op": "delete", "app_id": app_id, "environment": environment, "key": key}


async def _change(api: Api, *operations: Any, **more: Any) -> Answer:
    return await api.post("/changes", {"operations": operations, **more})


def _hit(answer: Answer) -> list[str]:
    """The guards that refused."""
    assert (answer.status, answer.document["type"]) == (409, "https://trimtab.dev/problems/guarded"), answer.body
    assert all(each["hint"] and each["detail"] for each in answer.document["guards"])
    return [each["guard"] for each in answer.document["guards"]]


async def _done(api: Api, *operations: Any, **more: Any) -> int:
    answer = await _change(api, *operations, **more)
    assert answer.status == 201, answer.body
    return int(answer.document["revision"])


async def test_what_is_ordinary_needs_no_force(api: Api) -> None:
    for value in (1, 2.5, 3, None, "text", None, True, None, [1], {"a": 1} and [2]):
        await _done(api, _put("k", value))
        if value is None:
            await _done(api, _put("other", value))
    await _done(api, _delete("k"))
    await _done(api, _put("k", [2]))
    await _done(api, _put("large", "x" * 200_000))
    await _done(api, {"op": "mask", "app_id": "shop", "key": "fresh"})
    await _done(api, {"op": "unmask", "app_id": "shop", "key": "fresh"})
    await _done(api, _put("fresh", 1))


async def test_another_type_needs_force_and_the_record_tells_it(api: Api) -> None:
    await _done(api, _put("k", 1))
    refused = await _change(api, _put("a", 1), _put("k", "1"))
    assert _hit(refused) == ["type_change"]
    (told,) = refused.document["guards"]
    assert (told["app_id"], told["environment"], told["key"], told["pointer"]) == (
        "shop",
        None,
        "k",
        "/operations/1/value",
    )
    assert "number" in told["detail"]
    revision = await _done(api, _put("a", 1), _put("k", "1"), force=FORCE)
    found = (await api.get(f"/changes/{revision}")).document
    assert found["forced"] == FORCE | {"guards": ["type_change"]}
    record = (await api.get("/audit?action=change.committed&limit=1")).document["items"][0]
    assert record["detail"]["forced"] == FORCE | {"guards": ["type_change"]}


async def test_force_that_was_not_needed_leaves_no_mark(api: Api) -> None:
    revision = await _done(api, _put("k", 1), force=FORCE)
    assert (await api.get(f"/changes/{revision}")).document["forced"] is None
    assert (await _change(api, _put("k", 1), force={"reason": ""})).pointers == ["/force/reason"]
    assert (await _change(api, _put("k", 1), force={"reason": "  "})).pointers == ["/force/reason"]


async def test_the_type_is_that_of_what_the_scope_sees(api: Api) -> None:
    await _done(api, _put("k", 1, None))
    assert _hit(await _change(api, _put("k", "x", "shop", "prod"))) == ["type_change"]
    assert _hit(await _change(api, _put("k", "x", "shop"))) == ["type_change"]
    await _done(api, _put("k", 2, "shop"))
    assert _hit(await _change(api, _put("k", "x", "shop", "prod"))) == ["type_change"]
    await _done(api, {"op": "mask", "app_id": "shop", "environment": "dev", "key": "k"})
    await _done(api, _put("k", "x", "shop", "dev"))
    assert _hit(await _change(api, _put("k", 1, "shop", "dev"))) == ["type_change"]


async def test_of_a_secret_no_type_is_told(api: Api) -> None:
    await _done(api, _put("k", 1, sensitive=True))
    refused = await _change(api, _put("k", ["x"]))
    assert _hit(refused) == ["type_change"]
    assert not any(word in refused.document["guards"][0]["detail"] for word in ("number", "array"))


async def test_a_deleted_key_comes_back_with_its_value_or_by_force(api: Api) -> None:
    await _done(api, _put("k", 1))
    await _done(api, _put("k", 2))
    await _done(api, _delete("k"))
    assert _hit(await _change(api, _put("k", 1))) == ["key_reuse"]
    single = await api.post("/configs", {"app_id": "shop", "key": "k", "value": 1})
    assert (_hit(single), single.document["guards"][0]["pointer"]) == (["key_reuse"], "/key")
    await _done(api, _put("k", 2))
    await _done(api, _delete("k"))
    made = await api.post("/configs", {"app_id": "shop", "key": "k", "value": "new", "force": FORCE})
    assert made.status == 201
    found = (await api.get(f"/changes/{made.document['revision']}")).document
    assert found["forced"]["guards"] == ["key_reuse"]


async def test_a_snapshot_that_is_halved_needs_force(api: Api) -> None:
    await _done(api, *(_put(f"k{index}", index) for index in range(10)), _put("env", 1, "shop", "dev"))
    await _done(api, *(_delete(f"k{index}") for index in range(4)))
    await _done(api, *(_put(f"k{index}", index) for index in range(4)))
    refused = await _change(api, *(_delete(f"k{index}") for index in range(5)))
    # 5 of 10 in prod, 5 of 11 in dev
    assert [(each["guard"], each["environment"]) for each in refused.document["guards"]] == [("shrink", "prod")]
    masks = [{"op": "mask", "app_id": "shop", "environment": "prod", "key": f"k{index}"} for index in range(10)]
    assert "all" in (await _change(api, *masks)).document["guards"][0]["detail"]
    await _done(api, *masks, force=FORCE)


async def test_a_snapshot_that_doubles_needs_force(api: Api) -> None:
    await _done(api, _put("k", "x" * 30_000))
    refused = await _change(api, _put("a", "x" * 30_000), _put("b", "x" * 30_000))
    assert set(_hit(refused)) == {"growth"}
    assert {each["environment"] for each in refused.document["guards"]} == {"dev", "prod"}
    assert _hit(await _change(api, _put("a", "x" * 60_000), _put("b", 1), _put("k", 1))) == [
        "type_change"
    ]  # it does not double: what grows is as large as what goes
    await _done(api, _put("a", "x" * 30_000), _put("b", "x" * 30_000), force=FORCE)


async def test_a_snapshot_beyond_eight_megabytes_needs_force(api: Api) -> None:
    for index in range(8):
        await _done(api, *(_put(f"k{index}.{part}", "x" * 255_000) for part in range(4)), force=FORCE)
    assert set(_hit(await _change(api, _put("more", "x" * 255_000)))) == {"growth"}


async def test_many_environments_at_once_need_force_and_every_guard_is_told(api: Api) -> None:
    for index in range(49):
        await api.post("/apps/shop/environments", {"environment": f"e{index}"})
    assert _hit(await _change(api, _put("k", 1))) == ["environments"]
    await _done(api, _put("k", 1), force=FORCE)
    assert _hit(await _change(api, _put("k", "x"), _put("fresh", 1))) == ["environments", "type_change"]
    revision = await _done(api, _put("k", "x"), force=FORCE)
    assert (await api.get(f"/changes/{revision}")).document["forced"]["guards"] == ["environments", "type_change"]
    await _done(api, _put("k", "y", "shop", "e7"))


async def test_a_deletion_can_be_forced_and_tried(api: Api) -> None:
    made = await api.post("/configs", {"app_id": "shop", "key": "k", "value": 1})
    path = f"/configs/{made.document['id']}"
    tried = await api.delete(path + "?dry_run=true", headers={"If-Match": "*"})
    assert (tried.status, tried.document["dry_run"], tried.document["preview"]["would_commit"]) == (200, True, True)
    assert (await api.get(path)).status == 200
    assert (await api.delete(path + "?force=because", headers={"If-Match": "*"})).status == 200


async def test_a_repeated_request_gets_its_answer_whatever_guards_say_by_then(api: Api) -> None:
    body = {"operations": [_put("k", "x" * 30_000), _put("l", "x" * 30_000)]}
    first = await api.post("/changes", body, headers={"Idempotency-Key": "one"})
    await api.post("/schemas", {"pattern": "k", "schema": {"type": "string", "maxLength": 40_000}})
    await _done(api, _delete("k"))
    await api.post("/schemas", {"pattern": "l*", "schema": True})
    await api.put(
        "/schemas/" + (await api.get("/schemas")).document["items"][0]["id"],
        {"pattern": "k", "schema": {"type": "integer"}},
        headers={"If-Match": "*"},
    )
    again = await api.post("/changes", body, headers={"Idempotency-Key": "one"})
    assert (again.status, again.document["revision"]) == (201, first.document["revision"])
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (await _change(api, *body["operations"])).status == 422


async def test_policies_set_guards_for_what_they_are_about(api: Api) -> None:
    made = await api.post("/policies", {"name": "prod", "pattern": "shop/prod", "guards": {"type_change": "off"}})
    assert made.status == 201, made.body
    await _done(api, _put("k", 1, "shop", "prod"), _put("k", 1, "shop", "dev"))
    await _done(api, _put("k", "x", "shop", "prod"))
    assert _hit(await _change(api, _put("k", "x", "shop", "dev"))) == ["type_change"]
    strict = {"name": "few", "pattern": "shop/*", "guards": {"environments": {"mode": "refuse", "limit": 1}}}
    assert (await api.post("/policies", strict)).status == 201
    assert _hit(await _change(api, _put("new", 1))) == ["environments"]
    await _done(api, _put("new", 1, "shop", "prod"))
    wrong = await api.post("/policies", strict | {"name": "wrong", "guards": {"nope": "off"}})
    assert wrong.pointers == ["/guards/nope"]


async def test_a_preview_names_the_policies_that_want_approvals(api: Api) -> None:
    await api.post("/policies", {"name": "two", "pattern": "shop/prod", "required_approvals": 2})
    preview = (await api.post("/changes/preview", {"operations": [_put("k", 1)]})).document
    assert (preview["required_approvals"], [each["name"] for each in preview["policies"]]) == (2, ["two"])
    elsewhere = (await api.post("/changes/preview", {"operations": [_put("k", 1, "shop", "dev")]})).document
    assert (elsewhere["required_approvals"], elsewhere["policies"]) == (0, [])

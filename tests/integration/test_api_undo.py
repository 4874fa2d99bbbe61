"""Undoing over HTTP: versions put back, changes reverted, environments restored, values promoted."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from control_plane.domain.access.role import Role
from control_plane.domain.attribution import Attribution
from control_plane.domain.change import Draft
from control_plane.domain.errors import ConflictError
from control_plane.domain.limits import Limits
from tests.rig.api import Answer, Api, serving_api

SHOP = {"app_id": "shop", "environment": "prod"}


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as api:
        await api.register("shop", "prod")
        await api.post("/apps/shop/environments", {"environment": "staging"})
        yield api


def _put(key: str, value: Any, app_id: str | None = "shop", environment: str | None = "prod", **more: Any) -> Any:
    return {"op": "put", "app_id": app_id, "environment": environment, "key": key, "value": value, **more}


def _bare(op: str, key: str, app_id: str | None = "shop", environment: str | None = "prod") -> Any:
    return {"op": op, "app_id": app_id, "environment": environment, "key": key}


async def _change(api: Api, *operations: Any) -> Any:
    made = await api.post("/changes", {"operations": list(operations)})
    assert made.status == 201, made.body
    return made.document


async def _effective(api: Api, environment: str = "prod") -> dict[str, Any]:
    fetched = await api.post("/configs/fetch", {"app_id": "shop", "environment": environment})
    return {key: each["value"] for key, each in fetched.document["configs"].items()}


async def _secrets(api: Api, environment: str = "prod") -> dict[str, Any]:
    """What agents get, secrets included."""
    document = await api.services.configs.snapshot("shop", environment, None)
    return {each.key: each.entry.value for each in document.items if each.entry is not None}


def _conflicts(answer: Answer) -> list[str]:
    return [each["key"] for each in answer.document["conflicts"]]


async def test_a_config_is_rolled_back_to_a_version(api: Api) -> None:
    made = await _change(api, _put("a", 1))
    await _change(api, _put("a", 2))
    config = made["operations"][0]["id"]
    done = await api.post(f"/configs/{config}/rollback", {"version": 1, "message": "back"})
    assert (done.status, done.document["operations"][0]["version"]) == (201, 3)
    assert await _effective(api) == {"a": 1}
    again = await api.post(f"/configs/{config}/rollback", {"version": 1})
    assert (again.status, again.document["reason"]) == (409, "nothing")
    assert (await api.post(f"/configs/{config}/rollback", {"version": 9})).status == 404


async def test_a_rollback_puts_back_masks_and_absence(api: Api) -> None:
    made = await _change(api, _put("a", 0, None, None), _put("a", 1))
    config = made["operations"][1]["id"]
    await _change(api, _bare("mask", "a"))
    await _change(api, _bare("unmask", "a"))
    await _change(api, _put("a", 4))
    assert (await api.post(f"/configs/{config}/rollback", {"version": 2})).document["operations"][0]["op"] == "mask"
    assert await _effective(api) == {}
    assert (await api.post(f"/configs/{config}/rollback", {"version": 3})).document["operations"][0]["op"] == "unmask"
    assert await _effective(api) == {"a": 0}
    await api.post(f"/configs/{config}/rollback", {"version": 4})
    assert (await api.post(f"/configs/{config}/rollback", {"version": 3})).document["operations"][0]["op"] == "delete"


async def test_a_secret_is_rolled_back_without_being_shown(api: Api) -> None:
    made = await _change(api, _put("k", "hunter-one", sensitive=True))
    await _change(api, _put("k", "hunter-two"))
    config = made["operations"][0]["id"]
    answers = [
        await api.get(f"/configs/{config}/difference?from=1&to=2"),
        await api.get(f"/configs/{config}/versions/1"),
        await api.post(f"/configs/{config}/rollback", {"version": 1, "dry_run": True}),
        await api.post(f"/configs/{config}/rollback", {"version": 1}),
        await api.get("/effective/shop/prod?revision=1"),
        await api.get("/compare?left=shop/prod@1&right=shop/prod@2"),
    ]
    assert [each.status for each in answers] == [200, 200, 200, 201, 200, 200]
    assert not any(b"hunter" in each.body for each in answers)
    assert (answers[0].document["differs"], answers[0].document["patch"]) == (True, None)
    assert answers[5].document["items"][0]["differs"]
    assert await _secrets(api) == {"k": b'"hunter-one"'}


async def test_a_change_is_reverted_as_one_change(api: Api) -> None:
    await _change(api, _put("a", 1), _put("b", 1), _put("m", 1, None, None))
    done = await _change(
        api, _put("a", 2), _bare("delete", "b"), _bare("mask", "m"), _put("new", 1), _put("g", 1, None, None)
    )
    reverted = await api.post(f"/changes/{done['revision']}/revert", {"message": "oops"})
    assert (reverted.status, reverted.document["revision"]) == (201, 3)
    assert await _effective(api) == {"a": 1, "b": 1, "m": 1}
    assert (await api.get("/changes/3")).document["reverts"] == 2
    again = await api.post("/changes/3/revert", {})
    assert again.status == 201
    assert await _effective(api) == {"a": 2, "g": 1, "new": 1}


async def test_a_revert_names_the_keys_that_moved_with_both_sides(api: Api) -> None:
    await _change(api, _put("a", 1), _put("b", 1), _put("s", "old-secret", sensitive=True))
    await _change(api, _put("a", 2), _put("b", 2), _put("s", "new-secret"))
    await _change(api, _put("a", 3), _put("s", "newer-secret"))
    refused = await api.post("/changes/2/revert", {})
    assert (refused.status, _conflicts(refused)) == (409, ["a", "s"])
    (first, second) = refused.document["conflicts"]
    assert (first["current"]["value"], first["yours"]["value"], first["current"]["revision"]) == (3, 1, 3)
    assert "value" not in second["current"] | second["yours"]
    assert "skip_moved" in refused.document["hint"]
    assert b"-secret" not in refused.body
    skipped = await api.post("/changes/2/revert", {"keys": "skip_moved"})
    assert skipped.status == 201
    assert [(each["key"], each["reason"]) for each in skipped.document["left_out"]] == [("a", "moved"), ("s", "moved")]
    assert (await _effective(api)) | {"s": None} == {"a": 3, "b": 1, "s": None}
    none_left = await api.post("/changes/3/revert", {"dry_run": True})
    assert none_left.status == 200
    assert (await api.post("/changes/2/revert", {"keys": "skip_moved"})).status == 409
    assert (await api.post("/changes/77/revert", {})).status == 404


async def test_a_repeated_revert_is_answered_as_the_first_time(api: Api) -> None:
    await _change(api, _put("a", 1))
    first = await api.post("/changes/1/revert", {}, headers={"Idempotency-Key": "k"})
    again = await api.post("/changes/1/revert", {}, headers={"Idempotency-Key": "k"})
    assert (again.status, again.document) == (201, first.document)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await api.services.changes.revision() == 2


async def test_restoring_takes_an_environment_back_by_the_fewest_operations(api: Api) -> None:
    await _change(api, _put("g", 1, None, None), _put("a", 1, "shop", None), _put("own", 1), _put("same", 1))
    await _change(api, _put("g", 2, None, None), _bare("delete", "own"), _put("late", 1, "shop", None))
    await _change(api, _put("a", 9), _put("mine", 1))
    restore = "/apps/shop/environments/prod/restore"
    tried = await api.post(restore, {"revision": 1, "dry_run": True})
    assert tried.status == 200
    assert [(each["op"], each["key"]) for each in tried.document["operations"]] == [
        ("delete", "a"),
        ("put", "g"),
        ("mask", "late"),
        ("delete", "mine"),
        ("put", "own"),
    ]
    before = (await api.get("/effective/shop/prod?revision=1")).document["items"]
    assert (await api.post(restore, {"revision": 1})).status == 201
    assert await _effective(api) == {each["key"]: each["origin"]["value"] for each in before}
    assert (await api.post(restore, {"revision": 1})).status == 409
    await api.post(restore, {"revision": 3, "extent": "scope"})
    assert await _effective(api) == {"a": 9, "g": 2, "late": 1, "mine": 1, "same": 1}


async def test_restoring_asks_for_one_moment_that_has_been(api: Api) -> None:
    restore = "/apps/shop/environments/prod/restore"
    for body in ({}, {"revision": 1, "at": "2020-01-01T00:00:00Z"}, {"revision": 99}, {"at": "2999-01-01T00:00:00Z"}):
        assert (await api.post(restore, body)).status == 422, body
    assert (await api.post("/apps/shop/environments/nope/restore", {"revision": 0})).status == 404
    await _change(api, _put("a", 1))
    assert (await api.post(restore, {"at": "2020-01-01T00:00:00Z"})).status == 201
    assert await _effective(api) == {}


async def test_promotion_carries_values_over_and_names_what_is_equal(api: Api) -> None:
    await _change(
        api,
        _put("g", 1, None, None),
        _put("a", 2, "shop", "staging"),
        _put("s", "hidden", "shop", "staging", sensitive=True),
    )
    body = {"from": {"app_id": "shop", "environment": "staging"}, "to": SHOP, "keys": ["g", "a", "s"]}
    promoted = await api.post("/promotions", body)
    assert (promoted.status, [each["key"] for each in promoted.document["operations"]]) == (201, ["a", "s"])
    assert [(each["key"], each["reason"]) for each in promoted.document["left_out"]] == [("g", "equal")]
    assert b"hidden" not in promoted.body
    assert (await _secrets(api))["s"] == b'"hidden"'
    refused = await api.post("/promotions", body)
    assert (refused.status, [each["key"] for each in refused.document["left_out"]]) == (409, ["g", "a", "s"])
    missing = await api.post("/promotions", body | {"keys": ["a", "nope"]})
    assert (missing.status, missing.pointers) == (422, ["/keys/1"])


async def test_a_key_that_moves_while_an_undo_is_computed_is_a_conflict(api: Api) -> None:
    await _change(api, _put("a", 1))
    await _change(api, _put("a", 2))
    computed = await api.services.hindsight.undo.revert(2)
    await _change(api, _put("a", 3))
    draft = Draft(computed.operations, Attribution("olga"), base_revision=computed.base_revision)
    with pytest.raises(ConflictError) as refused:
        await api.services.publishing.commit(draft)
    assert refused.value.facts["conflicts"][0]["current"]["value"] == 3


async def test_more_operations_than_a_change_may_have_are_refused_with_a_way_out(migrated_url: str) -> None:
    async with serving_api(migrated_url, Limits(operations=5, import_operations=3)) as api:
        await api.register("shop", "prod")
        await _change(api, *(_put(f"{group}.{each}", 1) for group in "ab" for each in range(2)))
        restore = "/apps/shop/environments/prod/restore"
        refused = await api.post(restore, {"revision": 0})
        assert (refused.status, refused.pointers) == (422, ["/prefix"])
        assert "TRIMTAB_MAX_IMPORT_OPERATIONS" in refused.document["violations"][0]["detail"]
        assert (await api.post(restore, {"revision": 0, "prefix": "a."})).status == 201
        assert await _effective(api) == {"b.0": 1, "b.1": 1}


async def test_what_an_undo_puts_back_is_no_key_reused_but_what_is_promoted_may_be(api: Api) -> None:
    made = await _change(api, _put("a", 1), _put("b", 1), _put("b", 2, "shop", "staging"))
    await _change(api, _put("a", 2), _bare("delete", "b"))
    await _change(api, _bare("delete", "a"))
    assert (await api.post(f"/configs/{made['operations'][0]['id']}/rollback", {"version": 1})).status == 201
    body = {"from": {"app_id": "shop", "environment": "staging"}, "to": SHOP, "keys": ["b"]}
    refused = await api.post("/promotions", body)
    assert (refused.status, [each["guard"] for each in refused.document["guards"]]) == (409, ["key_reuse"])
    assert (await api.post("/promotions", body | {"force": {"reason": "the same meaning"}})).status == 201


async def test_what_a_forced_change_did_is_undone_without_force(api: Api) -> None:
    await _change(api, _put("a", 1))
    forced = {"operations": [_put("a", "one")], "force": {"reason": "new readers"}}
    assert (await api.post("/changes", forced)).status == 201
    tried = await api.post("/changes/2/revert", {"dry_run": True})
    (hit,) = tried.document["preview"]["guards"]["items"]
    assert (tried.status, hit["guard"], hit["mode"]) == (200, "type_change", "warn")
    assert (await api.post("/changes/2/revert", {})).status == 201
    assert await _effective(api) == {"a": 1}


async def test_an_undo_may_be_proposed_by_one_and_committed_by_another(api: Api) -> None:
    await _change(api, _put("a", 1), _put("s", "old-secret", sensitive=True))
    await _change(api, _bare("delete", "a"), _put("s", "new-secret"))
    editor = await api.key("edith", Role.EDITOR)
    assert (await api.post("/changes/2/revert", {}, token=editor)).status == 403
    proposed = await api.post("/changes/2/revert", {"mode": "submit", "message": "back"}, token=editor)
    assert (proposed.status, proposed.document["revision"]) == (201, None)
    shown = await api.get(f"/changes/{proposed.document['id']}")
    assert b"-secret" not in proposed.body + shown.body
    done = await api.post(f"/changes/{proposed.document['id']}/commit", {})
    assert done.status == 200, done.body
    assert await _secrets(api) == {"a": b"1", "s": b'"old-secret"'}
    record = (await api.get("/changes/3")).document
    assert (record["author"], record["reverts"]) == ("edith", 2)

"""Previews over HTTP: what a change would do, to whom, and what stands against it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from control_plane.domain.access.principal import agent_of
from shared.domain.scope import Revisions
from shared.wire.report import Report
from tests.rig.api import Api, serving_api


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as api:
        await api.register("shop", "prod")
        await api.register("shop", "dev")
        await api.register("mail", "prod")
        yield api


def _put(key: str, value: Any, app_id: str | None = "shop", environment: str | None = None, **more: Any) -> Any:
    return {"op": "put", "app_id": app_id, "environment": environment, "key": key, "value": value, **more}


async def _preview(api: Api, *operations: Any, **more: Any) -> Any:
    before = await api.services.changes.revision()
    answer = await api.post("/changes/preview", {"operations": operations, **more})
    assert answer.status == 200, answer.body
    assert await api.services.changes.revision() == before
    return answer.document


def _lines(preview: Any) -> list[tuple[str, Any, Any]]:
    def side(seen: Any) -> Any:
        return seen and (seen["value"], seen["scope"], seen["version"])

    return [
        (f"{each['app_id']}/{each['environment']} {each['key']}", side(each["before"]), side(each["after"]))
        for each in preview["differences"]["items"]
    ]


async def test_the_difference_of_each_environment_has_both_origins(api: Api) -> None:
    await api.post("/changes", {"operations": [_put("k", 1, None), _put("k", 2, "shop", "dev")]})
    preview = await _preview(api, _put("k", 7), _put("l", 8, None))
    assert _lines(preview) == [
        ("mail/prod l", None, (8, "global", 1)),
        ("shop/dev l", None, (8, "global", 1)),
        ("shop/prod k", (1, "global", 1), (7, "app", 1)),
        ("shop/prod l", None, (8, "global", 1)),
    ]
    assert preview["differences"]["total"] == 4
    assert (preview["would_commit"], preview["without_effect"]) == (True, [])
    assert [(each["guard"], each["mode"]) for each in preview["guards"]["items"]] == [("global_scope", "warn")]


async def test_what_is_deleted_or_masked_shows_what_takes_its_place(api: Api) -> None:
    await api.post("/changes", {"operations": [_put("k", 1, None), _put("k", 2), _put("k", 3, "shop", "dev")]})
    preview = await _preview(
        api,
        {"op": "delete", "app_id": "shop", "key": "k"},
        {"op": "mask", "app_id": "shop", "environment": "dev", "key": "k"},
    )
    assert _lines(preview) == [
        ("shop/dev k", (3, "environment", 1), None),
        ("shop/prod k", (2, "app", 1), (1, "global", 1)),
    ]


async def test_operations_without_effect_are_told_with_their_reason(api: Api) -> None:
    await api.post("/apps", {"app_id": "empty"})
    await api.post(
        "/changes",
        {"operations": [_put("k", 1, "shop", "dev"), _put("k", 2, "shop", "prod"), _put("same", 5)]},
    )
    preview = await _preview(api, _put("k", 9), _put("same", 5), _put("lost", 1, "empty"), _put("new", 1))
    assert [
        (each["pointer"], each["why"], [f"{by['app_id']}/{by['environment']}" for by in each["overridden_by"]])
        for each in preview["without_effect"]
    ] == [
        ("/operations/0", "overridden", ["shop/dev", "shop/prod"]),
        ("/operations/1", "unchanged", []),
        ("/operations/2", "unreached", []),
    ]


async def test_a_preview_tells_all_that_stands_against_the_change(api: Api) -> None:
    await api.post("/schemas", {"pattern": "k", "schema": {"maximum": 10}})
    await api.post("/changes", {"operations": [_put("t", 1)]})
    preview = await _preview(api, _put("k", 11), _put("t", "x"))
    assert not preview["would_commit"]
    assert preview["schema_violations"]["total"] == 2
    assert [(each["guard"], each["mode"]) for each in preview["guards"]["items"]] == [("type_change", "refuse")]
    assert not (await _preview(api, _put("k", 11), _put("t", "x"), force={"reason": "r"}))["would_commit"]
    forced = await _preview(api, _put("t", "x"), force={"reason": "r"})
    assert (forced["would_commit"], forced["guards"]["total"]) == (True, 1)


async def test_what_could_never_be_carried_out_is_answered_as_the_change_would_be(api: Api) -> None:
    await api.post("/changes", {"operations": [_put("k", 1)]})
    for operations, status in (
        ([_put("k", 1, "nope")], 404),
        ([{"op": "delete", "app_id": "shop", "key": "never"}], 422),
        ([_put("k", 1, expected_version=0)], 409),
        ([_put("k", 1, expected_version=7)], 412),
        ([], 422),
    ):
        assert (await api.post("/changes/preview", {"operations": operations})).status == status


async def test_the_blast_radius_names_applications_environments_and_live_agents(api: Api) -> None:
    await api.post("/changes", {"operations": [_put("k", 1, "shop", "dev")]})
    for app_id, environment, instance in (("shop", "prod", "a"), ("shop", "dev", "b"), ("mail", "prod", "c")):
        report = Report(instance, app_id, environment, "1", Revisions(), "live", "sse")
        await api.services.fleet.record(report, "192.0.2.1", agent_of("shop", "prod", "rig"))
    radius = (await _preview(api, _put("k", 2, None)))["blast_radius"]
    assert (radius["applications"]["items"], radius["environments"]["total"]) == (["mail", "shop"], 2)
    assert [each["instance"] for each in radius["agents"]["items"]] == ["c", "a"]
    nobody = (await _preview(api, _put("k", 1, "shop", "dev")))["blast_radius"]
    assert [nobody[each]["total"] for each in ("applications", "environments", "agents")] == [0, 0, 0]


async def test_many_names_and_differences_are_cut_and_counted(api: Api) -> None:
    for index in range(120):
        await api.post("/apps/shop/environments", {"environment": f"e{index:03}"})
    preview = await _preview(api, *(_put(f"k{index}", index) for index in range(10)))
    environments, differences = preview["blast_radius"]["environments"], preview["differences"]
    assert (environments["total"], environments["truncated"], len(environments["items"])) == (122, True, 100)
    assert (differences["total"], differences["truncated"], len(differences["items"])) == (1220, True, 1000)
    assert [each["guard"] for each in preview["guards"]["items"]] == ["environments"]


async def test_a_secret_differs_and_no_more_is_told(api: Api) -> None:
    await api.post("/changes", {"operations": [_put("k", "xyzzy-1", sensitive=True)]})
    answer = await api.post(
        "/changes/preview", {"operations": [_put("k", "xyzzy-2"), _put("l", "xyzzy-3", sensitive=True)]}
    )
    assert b"xyzzy" not in answer.body
    assert [(each["before"] or {}).get("sensitive") for each in answer.document["differences"]["items"]] == [
        True,
        None,
        True,
        None,
    ]
    assert (await _preview(api, _put("k", "xyzzy-1")))["differences"]["total"] == 0


_BARE = [
    ("db.password", "hunter2"),
    ("apiKey", "x"),
    ("stripe-api-key", "x"),
    ("auth.token", "x"),
    ("plain", "-----BEGIN RSA PRIVATE KEY-----\nMIIE"),
    ("plain", {"deep": ["-----BEGIN OPENSSH PRIVATE KEY-----"]}),
    ("plain", "AKIAIOSFODNN7EXAMPLE"),
    ("plain", "ghp_" + "a" * 36),
    ("plain", "postgres://app:hunter2@db/app"),
    ("plain", {"password": "hunter2"}),
]
_HARMLESS = [
    ("db.pool", 20),
    ("token.ttl", "5m"),
    ("password.min_length", 8),
    ("passwords.allowed", True),
    ("db.password", ""),
    ("url", "https://example.com/a:b@c"),
    ("tokenizer", "bpe"),
]


async def test_what_looks_like_a_secret_is_warned_of_and_never_repeated(api: Api) -> None:
    for key, value in _BARE:
        preview = await _preview(api, _put(key, value))
        (warning,) = preview["warnings"]
        assert warning["pointer"] == "/operations/0/sensitive"
        assert key in warning["detail"]
        assert not any(secret in warning["detail"] for secret in ("hunter2", "AKIAIO", "MIIE", "aaaa")), warning
        assert (await _preview(api, _put(key, value, sensitive=True)))["warnings"] == []
    for key, value in _HARMLESS:
        assert (await _preview(api, _put(key, value)))["warnings"] == [], key
    await api.post("/changes", {"operations": [_put("k.token", "x", sensitive=True)]})
    assert (await _preview(api, _put("k.token", "y")))["warnings"] == []


async def test_dry_runs_carry_the_preview(api: Api) -> None:
    made = await api.post("/configs", {"app_id": "shop", "key": "k", "value": 1, "dry_run": True})
    assert (made.status, made.document["dry_run"], made.document["preview"]["differences"]["total"]) == (200, True, 2)
    made = await api.post("/configs", {"app_id": "shop", "key": "k", "value": 1})
    path = f"/configs/{made.document['id']}"
    body = {"value": "x", "dry_run": True}
    tried = await api.put(path, body, headers={"If-Match": '"1"'})
    assert (tried.status, tried.headers["ETag"], tried.document["version"]) == (200, '"1"', 2)
    assert not tried.document["preview"]["would_commit"]
    assert (await api.get(path)).document["value"] == 1
    change = await api.post("/changes", {"operations": [_put("k", "x")], "dry_run": True})
    assert (change.status, change.document["preview"]["would_commit"]) == (200, False)
    await api.put(path, {"value": 2}, headers={"If-Match": "*"})
    rolled = await api.post(path + "/rollback", {"version": 1, "dry_run": True})
    assert _lines(rolled.document["preview"]) == [
        ("shop/dev k", (2, "app", 2), (1, "app", 3)),
        ("shop/prod k", (2, "app", 2), (1, "app", 3)),
    ]

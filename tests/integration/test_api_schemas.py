"""Schemas over HTTP: every effective value fits them, whichever way it came about."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.rig.api import Answer, Api, serving_api


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as api:
        await api.register("shop", "prod")
        await api.register("shop", "dev")
        await api.register("mail", "prod")
        yield api


def _op(op: str, key: str, value: Any = None, app_id: str | None = "shop", environment: str | None = None) -> Any:
    value = {"value": value} if op == "put" else {}
    return {"op": op, "app_id": app_id, "environment": environment, "key": key, **value}


def _put(key: str, value: Any, app_id: str | None = "shop", environment: str | None = None, **more: Any) -> Any:
    return {"op": "put", "app_id": app_id, "environment": environment, "key": key, "value": value, **more}


async def _change(api: Api, *operations: Any, **more: Any) -> Answer:
    return await api.post("/changes", {"operations": operations, **more})


async def _schema(api: Api, pattern: str, schema: Any, **more: Any) -> Answer:
    return await api.post("/schemas", {"pattern": pattern, "schema": schema, **more})


def _unfit(answer: Answer) -> list[tuple[str, str]]:
    """Where the violations are, of a refusal."""
    assert answer.status == 422, answer.body
    return [
        (f"{each['app_id']}/{each['environment']}", each["key"] + each["pointer"])
        for each in answer.document["schema_violations"]
    ]


async def test_a_schema_is_made_read_altered_listed_and_taken_away(api: Api) -> None:
    made = await _schema(api, "db.*", {"type": "integer"}, app_id="shop", description="sizes")
    assert (made.status, made.headers["ETag"], made.document["version"]) == (201, '"1"', 1)
    path = made.headers["Location"].removeprefix("/api/v1")
    assert (await api.get(path)).document == made.document
    assert (await api.get(path, headers={"If-None-Match": '"1"'})).status == 304
    await _schema(api, "*", True)
    assert [each["pattern"] for each in (await api.get("/schemas")).document["items"]] == ["*", "db.*"]
    assert [each["pattern"] for each in (await api.get("/schemas?app_id=shop")).document["items"]] == ["db.*"]
    assert [each["pattern"] for each in (await api.get("/schemas?app_id=")).document["items"]] == ["*"]
    body = {"app_id": "shop", "pattern": "db.pool", "schema": {"type": "number"}}
    assert (await api.put(path, body)).status == 428
    assert (await api.put(path, body, headers={"If-Match": '"7"'})).status == 412
    altered = await api.put(path, body, headers={"If-Match": '"1"'})
    assert (altered.status, altered.document["version"], altered.document["pattern"]) == (200, 2, "db.pool")
    assert (await api.delete(path, headers={"If-Match": '"1"'})).status == 412
    assert (await api.delete(path, headers={"If-Match": '"2"'})).status == 204
    assert (await api.get(path)).status == 404
    actions = [each["action"] for each in (await api.get("/audit")).document["items"]]
    assert {"schema.created", "schema.updated", "schema.deleted"} <= set(actions)


async def test_what_is_no_schema_is_pointed_at_and_not_kept(api: Api) -> None:
    for schema, pointer in (
        ({"type": "nope"}, "/schema/type"),
        ({"$ref": "http://127.0.0.1:1/x"}, "/schema/$ref"),
        ({"$ref": "file:///etc/passwd"}, "/schema/$ref"),
        ({"properties": {"a": {"pattern": "(?<=x)y"}}}, "/schema/properties/a/pattern"),
        (7, "/schema"),
    ):
        assert pointer in (await _schema(api, "k", schema)).pointers
    assert (await _schema(api, "a/b", True)).pointers == ["/pattern"]
    assert (await _schema(api, "k", True, app_id="nope")).status == 404
    assert (await api.get("/schemas")).document["items"] == []


async def test_there_is_one_schema_for_a_pattern_of_an_application(api: Api) -> None:
    first = await _schema(api, "k", True)
    again = await _schema(api, "k", False)
    assert (again.status, again.document["id"]) == (409, first.document["id"])
    assert (await _schema(api, "k", True, app_id="shop")).status == 201


async def test_a_change_is_refused_where_it_would_show_a_value_that_does_not_fit(api: Api) -> None:
    await _schema(api, "db.*", {"properties": {"max": {"maximum": 10}}}, app_id="shop")
    refused = await _change(api, _put("other", 1), _put("db.pool", {"max": 11}, None))
    assert _unfit(refused) == [("shop/dev", "db.pool/max"), ("shop/prod", "db.pool/max")]
    assert refused.pointers == ["/operations/1/value/max"] * 2
    assert await api.services.changes.revision() == 0
    assert (await _change(api, _put("db.pool", {"max": 11}, "mail"))).status == 201
    single = await api.post("/configs", {"app_id": "shop", "key": "db.x", "value": {"max": 12}})
    assert (_unfit(single)[0], single.pointers[0]) == (("shop/dev", "db.x/max"), "/value/max")


async def test_a_value_that_is_overridden_everywhere_below_does_no_harm(api: Api) -> None:
    await _schema(api, "k", {"maximum": 10})
    await _change(api, _put("k", 1, "shop", "dev"), _put("k", 2, "shop", "prod"), _put("k", 3, "mail", "prod"))
    assert (await _change(api, _put("k", 99, None))).status == 201
    # but then one of those that hide it cannot be taken away
    refused = await _change(api, _op("delete", "k", app_id="shop", environment="dev"))
    assert (_unfit(refused), refused.pointers) == ([("shop/dev", "k")], ["/operations/0/key"])
    assert (await _change(api, _op("mask", "k", app_id="shop", environment="dev"))).status == 201
    assert _unfit(await _change(api, _op("unmask", "k", app_id="shop", environment="dev"))) == [("shop/dev", "k")]


async def test_a_schema_is_held_against_all_that_stands(api: Api) -> None:
    await _change(api, _put("k", 99, None), _put("k", 5, "shop"), _put("k2", "text", "mail"))
    tried = await _schema(api, "k*", {"type": "integer", "maximum": 10}, dry_run=True)
    assert (tried.status, tried.document["would_keep"], tried.document["values"]) == (200, False, 4)
    assert tried.document["schema_violations"]["total"] == 2
    refused = await _schema(api, "k*", {"type": "integer", "maximum": 10})
    assert sorted(_unfit(refused)) == [("mail/prod", "k"), ("mail/prod", "k2")]
    assert (await _schema(api, "k*", {"maximum": 10}, app_id="shop")).status == 201


async def test_an_altered_schema_is_held_against_all_that_stands(api: Api) -> None:
    await _change(api, _put("k", 5))
    made = await _schema(api, "k", {"maximum": 10})
    path, match = made.headers["Location"].removeprefix("/api/v1"), {"If-Match": "*"}
    narrower = {"pattern": "k", "schema": {"maximum": 4}}
    assert len(_unfit(await api.put(path, narrower, headers=match))) == 2
    tried = await api.put(path, narrower | {"dry_run": True}, headers=match)
    assert (tried.status, tried.document["would_keep"]) == (200, False)
    assert (await api.get(path)).document["schema"] == {"maximum": 10}


async def test_of_a_secret_nothing_is_told_but_that_it_does_not_fit(api: Api) -> None:
    await _schema(api, "k", {"properties": {"hush": {"maxLength": 3}}, "additionalProperties": False})
    for value in ({"hush": "xyzzy-plugh"}, {"xyzzy-plugh": 1}):
        refused = await _change(api, _put("k", value, sensitive=True))
        assert {where for where, _ in _unfit(refused)} == {"shop/dev", "shop/prod"}
        assert {each["pointer"] for each in refused.document["schema_violations"]} == {""}
        assert b"xyzzy" not in refused.body
        preview = await api.post("/changes/preview", {"operations": [_put("k", value, sensitive=True)]})
        assert preview.document["schema_violations"]["total"] == 2
        assert b"xyzzy" not in preview.body


async def test_violations_are_bounded_and_counted(api: Api) -> None:
    await _schema(api, "*", {"items": {"type": "string"}})
    refused = await _change(api, *(_put(f"k{index}", [1] * 30) for index in range(5)))
    assert (len(_unfit(refused)), refused.document["schema_violations_total"]) == (100, 200)


async def test_another_replica_learns_of_a_schema_with_its_next_change(api: Api, migrated_url: str) -> None:
    async with serving_api(migrated_url) as other:
        assert (await other.post("/changes", {"operations": [_put("k", 99)]})).status == 201
        assert (await _schema(api, "k2", {"maximum": 10})).status == 201
        assert (await other.post("/changes", {"operations": [_put("k2", 99)]})).status == 422


async def test_a_new_environment_is_seen_by_the_next_change(api: Api) -> None:
    await _schema(api, "k", {"maximum": 10}, app_id="mail")
    await api.post("/apps/mail/environments", {"environment": "dev"})
    assert _unfit(await _change(api, _put("k", 99, "mail"))) == [("mail/dev", "k"), ("mail/prod", "k")]


async def test_a_schema_is_made_once_and_tried_as_often_as_asked(api: Api) -> None:
    body, headers = {"pattern": "k", "schema": {"type": "integer"}}, {"Idempotency-Key": "one"}
    for _ in range(2):
        tried = await api.post("/schemas", body | {"dry_run": True}, headers={"Idempotency-Key": "try"})
        assert (tried.status, tried.document["would_keep"]) == (200, True)
    first = await api.post("/schemas", body, headers=headers)
    again = await api.post("/schemas", body, headers=headers)
    assert (again.status, again.document, again.headers["Idempotency-Replayed"]) == (201, first.document, "true")

"""What people say about a config over HTTP: description, owner and labels, changed, recorded and found by."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from shared.domain.codec import decode
from tests.rig.api import Api, serving_api

ANY = {"If-Match": "*"}


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as api:
        await api.register("shop", "prod")
        yield api


async def _create(api: Api, key: str = "db.pool", value: object = 20, **more: object) -> str:
    made = await api.post("/configs", {"app_id": "shop", "environment": "prod", "key": key, "value": value, **more})
    assert made.status == 201, made.body
    return f"/configs/{made.document['id']}"


async def _last_record(url: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return decode(await connection.fetchval("select detail from audit_logs order by seq desc limit 1"))
    finally:
        await connection.close()


async def test_they_are_kept_as_they_were_given(api: Api) -> None:
    words = {"description": "connections", "owner": "payments", "labels": {"tier": "1"}}
    path = await _create(api, **words)
    found = (await api.get(path)).document
    assert {name: found[name] for name in words} == words
    await api.put(path, {"value": 21}, headers=ANY)
    found = (await api.get(path)).document
    assert ({name: found[name] for name in words}, found["value"]) == (words, 21)


async def test_they_change_without_the_value_as_one_change_and_one_version(api: Api, migrated_url: str) -> None:
    path = await _create(api, description="old", owner="payments", labels={"tier": "1"})
    done = await api.put(path, {"description": "new", "message": "clearer"}, headers={"If-Match": '"1"'})
    assert (done.status, done.document["version"], done.document["revision"]) == (200, 2, 2)
    found = (await api.get(path)).document
    assert (found["value"], found["description"], found["owner"]) == (20, "new", "payments")
    versions = (await api.get(f"{path}/versions")).document["items"]
    assert [(each["version"], each["op"], each["value"]) for each in versions] == [(2, "put", 20), (1, "put", 20)]
    operation = (await _last_record(migrated_url))["operations"][0]
    assert operation["before"] == {"kind": "value", "sensitive": False, "value": 20, "description": "old"}
    assert operation["after"] == {"kind": "value", "sensitive": False, "value": 20, "description": "new"}


async def test_records_show_only_what_differs(api: Api, migrated_url: str) -> None:
    path = await _create(api, owner="payments", labels={"tier": "1"})
    created = (await _last_record(migrated_url))["operations"][0]
    assert created["before"] is None
    assert (created["after"]["owner"], created["after"]["labels"]) == ("payments", {"tier": "1"})
    assert "description" not in created["after"]
    await api.put(path, {"labels": {}}, headers=ANY)
    operation = (await _last_record(migrated_url))["operations"][0]
    assert (operation["before"]["labels"], operation["after"]["labels"]) == ({"tier": "1"}, {})
    assert "owner" not in operation["before"]


async def test_a_late_change_of_them_is_refused(api: Api) -> None:
    path = await _create(api)
    await api.put(path, {"value": 21}, headers=ANY)
    late = await api.put(path, {"description": "new"}, headers={"If-Match": '"1"'})
    assert (late.status, late.document["current_version"]) == (412, 2)


async def test_a_secret_is_kept_and_not_uncovered(api: Api, migrated_url: str) -> None:
    token = await api.register("shop", "prod")
    path = await _create(api, "db.password", "hunter2", sensitive=True)
    done = await api.put(path, {"owner": "payments"}, headers=ANY)
    assert (done.status, done.document["version"]) == (200, 2)
    assert b"hunter2" in (await api.get("/snapshots/shop/prod", token=token)).body
    assert b"hunter2" not in done.body + (await api.get(path)).body
    operation = (await _last_record(migrated_url))["operations"][0]
    assert operation["before"]["digest"] == operation["after"]["digest"]
    refused = await api.put(path, {"sensitive": False}, headers=ANY)
    assert (refused.status, refused.pointers) == (422, ["/value"])
    covered = await _create(api, "db.user", "root")
    assert (await api.put(covered, {"sensitive": True}, headers=ANY)).status == 200
    assert (await api.get(covered)).document["value"] is None


async def test_a_mask_has_no_value_to_keep(api: Api) -> None:
    change = await api.post("/changes", {"operations": [{"op": "mask", "app_id": "shop", "key": "a"}]})
    answer = await api.put(f"/configs/{change.document['operations'][0]['id']}", {"owner": "me"}, headers=ANY)
    assert (answer.status, answer.pointers) == (422, ["/value"])


async def test_null_is_a_value(api: Api) -> None:
    path = await _create(api)
    assert (await api.put(path, {"value": None}, headers=ANY)).status == 200
    assert (await api.get(path)).document["value"] is None


async def test_configs_are_found_by_owner_and_labels(api: Api) -> None:
    await _create(api, "a", owner="payments", labels={"tier": "1", "team": "red"})
    await _create(api, "b", owner="payments", labels={"tier": "2"})
    await _create(api, "c", owner="search", labels={"note": "a:b"})

    async def keys(query: str) -> list[str]:
        return [each["key"] for each in (await api.get(f"/configs?{query}")).document["items"]]

    assert await keys("owner=payments") == ["a", "b"]
    assert await keys("owner=") == []
    assert await keys("label=tier") == ["a", "b"]
    assert await keys("label=tier:2") == ["b"]
    assert await keys("label=tier&label=team:red") == ["a"]
    assert await keys("label=note:a:b") == ["c"]
    assert await keys("owner=search&label=tier") == []
    assert await keys("prefix=b&label=tier") == ["b"]
    twice = await api.get("/configs?owner=a&owner=b")
    assert (twice.status, twice.pointers) == (422, ["?owner"])
    assert (await api.get("/configs?" + "&".join(["label=a"] * 21))).status == 422

"""Configs over HTTP: create, read, update, delete, list, fetch."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from tests.rig.api import Api, serving_api


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as api:
        await api.register("shop", "prod")
        yield api


async def _create(api: Api, key: str = "db.pool", value: object = 20, **more: object) -> str:
    made = await api.post("/configs", {"app_id": "shop", "environment": "prod", "key": key, "value": value, **more})
    assert made.status == 201, made.body
    return str(made.document["id"])


async def test_a_created_config_is_found_where_the_answer_says(api: Api) -> None:
    made = await api.post("/configs", {"app_id": "shop", "environment": None, "key": "db.pool", "value": {"max": 20}})
    assert (made.status, made.headers["ETag"]) == (201, '"1"')
    assert made.headers["Location"] == f"/api/v1/configs/{made.document['id']}"
    assert made.document["scope"] == "app"
    assert made.document["revision"] == 1
    found = await api.get(made.headers["Location"].removeprefix("/api/v1"))
    assert (found.document["value"], found.document["version"]) == ({"max": 20}, 1)
    assert found.document["updated_by"] == "operator"


async def test_the_same_key_in_the_same_scope_is_a_conflict_that_names_the_config(api: Api) -> None:
    config_id = await _create(api)
    again = await api.post("/configs", {"app_id": "shop", "environment": "prod", "key": "db.pool", "value": 1})
    assert again.status == 409
    assert (again.document["id"], again.document["version"]) == (config_id, 1)


async def test_an_update_needs_the_version_that_was_read(api: Api) -> None:
    path = f"/configs/{await _create(api)}"
    assert (await api.put(path, {"value": 30})).status == 428
    updated = await api.put(path, {"value": 30}, headers={"If-Match": '"1"'})
    assert (updated.status, updated.headers["ETag"], updated.document["revision"]) == (200, '"2"', 2)
    late = await api.put(path, {"value": 40}, headers={"If-Match": '"1"'})
    assert (late.status, late.document["current_version"]) == (412, 2)
    assert (await api.put(path, {"value": 50}, headers={"If-Match": "*"})).document["version"] == 3
    assert (await api.get(path)).document["value"] == 50


async def test_an_if_match_that_is_no_version_is_malformed(api: Api) -> None:
    path = f"/configs/{await _create(api)}"
    for tag in ("1", '"one"', '"1", "2"', "", '"01"', '"-1"', "'1'"):
        assert (await api.put(path, {"value": 30}, headers={"If-Match": tag})).status == 400, tag
    assert (await api.get(path)).document["version"] == 1


async def test_version_zero_never_matches(api: Api) -> None:
    path = f"/configs/{await _create(api)}"
    assert (await api.put(path, {"value": 30}, headers={"If-Match": '"0"'})).status == 412


async def test_a_weak_tag_of_the_same_version_matches(api: Api) -> None:
    path = f"/configs/{await _create(api)}"
    assert (await api.put(path, {"value": 30}, headers={"If-Match": 'W/"1"'})).status == 200


async def test_what_is_current_need_not_be_sent_again(api: Api) -> None:
    path = f"/configs/{await _create(api)}"
    same = await api.get(path, headers={"If-None-Match": '"1"'})
    assert (same.status, same.body) == (304, b"")
    assert (await api.get(path, headers={"If-None-Match": '"2"'})).status == 200


async def test_a_deleted_config_is_gone_but_its_versions_remain(api: Api) -> None:
    path = f"/configs/{await _create(api)}"
    assert (await api.delete(path)).status == 428
    gone = await api.delete(f"{path}?message=no%20longer%20used", headers={"If-Match": '"1"'})
    assert (gone.status, gone.document["op"], gone.document["version"]) == (200, "delete", 2)
    for answer in (
        await api.get(path),
        await api.put(path, {"value": 1}, headers={"If-Match": "*"}),
        await api.delete(path, headers={"If-Match": "*"}),
    ):
        assert answer.status == 404
    versions = (await api.get(f"{path}/versions")).document["items"]
    assert [(each["version"], each["op"], each["value"]) for each in versions] == [(2, "delete", None), (1, "put", 20)]
    assert versions[0]["message"] == "no longer used"


async def test_a_key_can_be_created_again_after_it_was_deleted(api: Api) -> None:
    first = await _create(api)
    await api.delete(f"/configs/{first}", headers={"If-Match": "*"})
    assert await _create(api, value=21, force={"reason": "nobody read it"}) == first
    assert (await api.get(f"/configs/{first}")).document["version"] == 3


async def test_a_secret_is_shown_to_nobody(api: Api) -> None:
    path = f"/configs/{await _create(api, key='db.password', value='hunter2', sensitive=True)}"
    fetched = await api.post("/configs/fetch", {"app_id": "shop", "environment": "prod"})
    assert fetched.document["configs"]["db.password"] == {
        "value": None,
        "sensitive": True,
        "scope": "environment",
        "version": 1,
        "revision": 1,
        "reason": "STATIC",
        "variant": None,
        "error": None,
        "rollout": None,
        "arm": None,
    }
    pages = [path, f"{path}/versions", "/configs", "/changes", "/changes/1", "/snapshots/shop/prod"]
    for answer in [fetched, *[await api.get(each) for each in pages]]:
        assert answer.status == 200
        assert b"hunter2" not in answer.body


async def test_the_snapshot_of_its_own_agents_has_the_secret(api: Api) -> None:
    token = await api.register("shop", "prod")
    await _create(api, key="db.password", value="hunter2", sensitive=True)
    assert b"hunter2" in (await api.get("/snapshots/shop/prod", token=token)).body


async def test_fetching_takes_a_context_and_a_plain_value_is_the_same_for_everybody(api: Api) -> None:
    await _create(api)
    place = {"app_id": "shop", "environment": "prod"}
    context = {"targetingKey": "user-17", "groups": ["beta"], "country": "SE", "age": 41, "share": 0.5, "x": None}
    for each in (None, {}, context, {"admin": True}):
        fetched = await api.post("/configs/fetch", {**place, "context": each})
        assert fetched.status == 200
        assert [(each["reason"], each["variant"]) for each in fetched.document["configs"].values()] == [
            ("STATIC", None)
        ]


@pytest.mark.parametrize(
    ("context", "pointer"),
    [
        ("alice", "/context"),
        ({"targetingKey": 17}, "/context/targetingKey"),
        ({"targetingKey": "x" * 1_025}, "/context/targetingKey"),
        ({"groups": "beta"}, "/context/groups"),
        ({"groups": ["beta", 1]}, "/context/groups/1"),
        ({"groups": ["g"] * 101}, "/context/groups"),
        ({"country": {"code": "SE"}}, "/context/country"),
        ({"country": "x" * 1_025}, "/context/country"),
        ({f"a{number}": 1 for number in range(101)}, "/context"),
        ({"": 1}, "/context"),
    ],
)
async def test_a_context_is_bounded_and_its_attributes_are_scalars_or_lists_of_them(
    api: Api, context: object, pointer: str
) -> None:
    refused = await api.post("/configs/fetch", {"app_id": "shop", "environment": "prod", "context": context})
    assert refused.status == 422
    assert set(refused.pointers) == {pointer}


async def test_fetching_shows_the_origin_of_each_key(api: Api) -> None:
    await api.post("/configs", {"key": "a", "value": 1})
    await api.post("/configs", {"app_id": "shop", "key": "a", "value": 2})
    await api.post("/configs", {"key": "b", "value": [1]})
    await _create(api, key="c", value=None)
    fetched = await api.post("/configs/fetch", {"app_id": "shop", "environment": "prod"})
    assert "Trimtab-Stale" not in fetched.headers
    seen = {key: (each["value"], each["scope"]) for key, each in fetched.document["configs"].items()}
    assert seen == {"a": (2, "app"), "b": ([1], "global"), "c": (None, "environment")}
    assert fetched.document["revision"] == 4
    some = await api.post("/configs/fetch", {"app_id": "shop", "environment": "prod", "keys": ["b", "zzz"]})
    assert (list(some.document["configs"]), some.document["missing"]) == (["b"], ["zzz"])


async def test_fetching_what_is_not_registered_names_it(api: Api) -> None:
    answer = await api.post("/configs/fetch", {"app_id": "nope", "environment": "prod"})
    assert answer.status == 404
    assert "'nope'" in answer.document["detail"]
    answer = await api.post("/configs/fetch", {"app_id": "shop", "environment": "nope"})
    assert "shop/nope" in answer.document["detail"]


async def test_a_list_is_narrowed_by_each_filter(api: Api) -> None:
    await api.register("mail", "dev")
    await api.post("/configs", {"key": "db.pool", "value": 1, "description": "how many connections"})
    await api.post("/configs", {"app_id": "shop", "key": "db.pool", "value": 2})
    await _create(api, key="db.host", value="x")
    await api.post("/configs", {"app_id": "mail", "environment": "dev", "key": "smtp.host", "value": 3})

    async def keys(query: str) -> list[tuple[str, str]]:
        return [(each["scope"], each["key"]) for each in (await api.get(f"/configs?{query}")).document["items"]]

    assert len(await keys("")) == 4
    assert await keys("app_id=mail") == [("environment", "smtp.host")]
    assert await keys("environment=prod") == [("environment", "db.host")]
    assert await keys("scope=global") == [("global", "db.pool")]
    assert [scope for scope, _ in await keys("prefix=db.p")] == ["global", "app"]
    assert await keys("text=connections") == [("global", "db.pool")]
    assert await keys("app_id=shop&prefix=db.&scope=app") == [("app", "db.pool")]


async def test_pages_hold_every_item_once(api: Api) -> None:
    for index in range(7):
        await _create(api, key=f"k{index}", value=index)
    seen, cursor = [], ""
    while cursor is not None:
        page = (await api.get("/configs?limit=3" + (f"&cursor={cursor}" if cursor else ""))).document
        assert len(page["items"]) <= 3
        seen += [each["key"] for each in page["items"]]
        cursor = page["next_cursor"]
    assert seen == [f"k{index}" for index in range(7)]


async def test_a_query_that_is_not_valid_is_pointed_at(api: Api) -> None:
    for query, pointer in (
        ("limit=0", "?limit"),
        ("limit=501", "?limit"),
        ("limit=x", "?limit"),
        ("cursor=x", "?cursor"),
        ("scope=world", "?scope"),
        ("app_id=UPPER", "?app_id"),
        ("nope=1", "?nope"),
        ("limit=1&limit=2", "?limit"),
        ("text=%00", "?text"),
        ("include_deleted=perhaps", "?include_deleted"),
    ):
        answer = await api.get(f"/configs?{query}")
        assert (answer.status, answer.pointers) == (422, [pointer]), query


async def test_what_is_not_an_id_is_not_found(api: Api) -> None:
    for path in ("/configs/nope", f"/configs/{uuid4()}", f"/configs/{uuid4().hex}", "/configs/%00"):
        assert (await api.get(path)).status == 404
    assert (await api.get(f"/configs/{uuid4()}/versions")).status == 404


async def test_a_repeated_creation_gets_the_first_answer(api: Api) -> None:
    body = {"app_id": "shop", "environment": "prod", "key": "once", "value": 1}
    first = await api.post("/configs", body, headers={"Idempotency-Key": "k1"})
    again = await api.post("/configs", body, headers={"Idempotency-Key": "k1"})
    assert (again.status, again.document) == (201, first.document)
    assert ("Idempotency-Replayed" in first.headers, again.headers["Idempotency-Replayed"]) == (False, "true")
    other = await api.post("/configs", body | {"value": 2}, headers={"Idempotency-Key": "k1"})
    assert (other.status, other.document["type"].rpartition("/")[2]) == (409, "idempotency-key-reused")
    assert (await api.get("/changes")).document["items"][0]["revision"] == 1

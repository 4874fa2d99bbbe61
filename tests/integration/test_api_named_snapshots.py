"""Named snapshots over HTTP: a revision with a name."""

from collections.abc import AsyncIterator

import pytest

from tests.rig.api import Api, serving_api

PATH = "/named-snapshots"


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as api:
        for value in (1, 2, 3):
            await api.post("/changes", {"operations": [{"op": "put", "key": "a", "value": value}]})
        yield api


async def test_a_revision_is_named_listed_and_forgotten(api: Api) -> None:
    made = await api.post(PATH, {"name": "before-sale", "revision": 2, "description": "All was well"})
    assert (made.status, made.headers["Location"]) == (201, "/api/v1/named-snapshots/before-sale")
    assert (made.document["revision"], made.document["created_by"]) == (2, "operator")
    await api.post(PATH, {"name": "After.Sale_2"})
    found = (await api.get(PATH)).document["items"]
    assert [(each["name"], each["revision"]) for each in found] == [("After.Sale_2", 3), ("before-sale", 2)]
    page = (await api.get(f"{PATH}?limit=1")).document
    rest = (await api.get(f"{PATH}?limit=1&cursor={page['next_cursor']}")).document
    assert [each["name"] for each in (*page["items"], *rest["items"])] == ["After.Sale_2", "before-sale"]
    assert (await api.get(f"{PATH}/before-sale")).document == made.document
    assert (await api.delete(f"{PATH}/before-sale")).status == 204
    assert (await api.get(f"{PATH}/before-sale")).status == 404
    assert (await api.delete(f"{PATH}/before-sale")).status == 404


async def test_an_instant_means_the_last_revision_before_it(api: Api) -> None:
    at = (await api.get("/changes/2")).document["committed_at"]
    assert (await api.post(PATH, {"name": "then", "at": at})).document["revision"] == 2
    nothing = (await api.post(PATH, {"name": "long-ago", "at": "2001-01-01T00:00:00Z"})).document
    assert (nothing["revision"], nothing["committed_at"]) == (0, None)


async def test_a_name_is_taken_once_and_a_revision_must_be_there(api: Api) -> None:
    assert (await api.post(PATH, {"name": "x"})).status == 201
    assert (await api.post(PATH, {"name": "x", "revision": 1})).status == 409
    assert (await api.post(PATH, {"name": "y", "revision": 4})).status == 404
    assert (await api.post(PATH, {"name": "y", "revision": 1, "at": "2030-01-01T00:00:00Z"})).status == 422
    assert (await api.post(PATH, {"name": "y", "at": "2030-01-01T00:00:00"})).status == 422
    for name in ("a/b", "17", "2030-01-01", ""):
        assert (await api.post(PATH, {"name": name})).status == 422
    assert (await api.get(f"{PATH}/a%00b")).status == 404


async def test_naming_twice_with_one_key_is_done_once(api: Api) -> None:
    key = {"Idempotency-Key": "one"}
    first = await api.post(PATH, {"name": "x"}, headers=key)
    assert (await api.post(PATH, {"name": "x"}, headers=key)).document == first.document


async def test_a_named_snapshot_stands_for_its_revision_wherever_one_is_asked_for(api: Api) -> None:
    await api.register("shop", "prod")
    await api.post(PATH, {"name": "before-sale", "revision": 2})
    compared = (await api.get("/compare?left=shop/prod@before-sale&right=shop/prod")).document
    assert (compared["left_revision"], compared["right_revision"]) == (2, 3)
    assert [(each["key"], each["left"]["value"], each["right"]["value"]) for each in compared["items"]] == [("a", 2, 3)]
    was = (await api.get("/effective/shop/prod?snapshot=before-sale")).document
    assert (was["revision"], was["items"][0]["origin"]["value"]) == (2, 2)
    fetched = await api.post("/configs/fetch", {"app_id": "shop", "environment": "prod", "snapshot": "before-sale"})
    assert fetched.document["configs"]["a"]["value"] == 2
    path = "/apps/shop/environments/prod/restore"
    tried = await api.post(path, {"snapshot": "before-sale", "dry_run": True})
    assert (tried.status, [each["key"] for each in tried.document["operations"]]) == (200, ["a"])
    assert (await api.post(path, {"snapshot": "before-sale"})).status == 201
    now = (await api.get("/effective/shop/prod")).document
    assert now["items"][0]["origin"]["value"] == 2
    assert (await api.get("/compare?left=shop/prod@before-sale&right=shop/prod")).document["items"] == []


async def test_a_snapshot_that_nobody_made_is_not_found(api: Api) -> None:
    await api.register("shop", "prod")
    assert (await api.get("/compare?left=shop/prod@nothing&right=shop/prod")).status == 404
    assert (await api.get("/effective/shop/prod?snapshot=nothing")).status == 404
    assert (await api.post("/apps/shop/environments/prod/restore", {"snapshot": "nothing"})).status == 404
    assert (await api.post("/apps/shop/environments/prod/restore", {"snapshot": "x", "revision": 1})).status == 422
    assert (await api.post("/apps/shop/environments/prod/restore", {})).status == 422

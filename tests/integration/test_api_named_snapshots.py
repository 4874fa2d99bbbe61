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
    assert (await api.post(PATH, {"name": "a/b"})).status == 422
    assert (await api.get(f"{PATH}/a%00b")).status == 404


async def test_naming_twice_with_one_key_is_done_once(api: Api) -> None:
    key = {"Idempotency-Key": "one"}
    first = await api.post(PATH, {"name": "x"}, headers=key)
    assert (await api.post(PATH, {"name": "x"}, headers=key)).document == first.document

"""Looking back over HTTP: versions, differences, what was effective once, comparisons."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.rig.api import Api, serving_api


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


async def _seen(api: Api, query: str) -> dict[str, Any]:
    document = (await api.get(f"/effective/shop/prod{query}")).document
    return {each["key"]: each["origin"]["value"] for each in document["items"]}


async def test_versions_differ_by_a_patch_and_by_lines(api: Api) -> None:
    made = await _change(api, _put("a", {"pool": {"size": 1}, "tags": ["x"]}))
    await _change(api, _put("a", {"pool": {"size": 2}, "tags": ["x", "y"]}))
    config = made["operations"][0]["id"]
    difference = (await api.get(f"/configs/{config}/difference")).document
    assert (difference["before"]["version"], difference["after"]["version"]) == (1, 2)
    assert difference["patch"] == [
        {"op": "replace", "path": "/pool/size", "value": 2},
        {"op": "add", "path": "/tags/1", "value": "y"},
    ]
    assert [(each["op"], each["path"], each["before"], each["after"]) for each in difference["readable"]] == [
        ("changed", "/pool/size", 1, 2),
        ("added", "/tags/1", None, "y"),
    ]
    backwards = (await api.get(f"/configs/{config}/difference?from=2&to=0")).document
    assert (backwards["patch"], backwards["after"]) == ([{"op": "remove", "path": ""}], None)
    assert (await api.get(f"/configs/{config}/versions/2")).document["value"]["pool"] == {"size": 2}
    for wrong in ("3", "0", "x", "9" * 30, "-1"):
        assert (await api.get(f"/configs/{config}/versions/{wrong}")).status == 404
    assert (await api.get(f"/configs/{config}/difference?to=3")).status == 404
    assert (await api.get(f"/configs/{config}/difference?from=-1")).status == 422


async def test_the_effective_configs_of_any_revision_have_their_origins(api: Api) -> None:
    await _change(api, _put("a", 1, None, None), _put("b", 1, "shop", None))
    await _change(api, _put("a", 2), _bare("mask", "b"))
    await _change(api, _bare("delete", "a"), _bare("unmask", "b"), _put("c", 3))
    assert [await _seen(api, f"?revision={each}") for each in range(4)] == [
        {},
        {"a": 1, "b": 1},
        {"a": 2},
        {"a": 1, "b": 1, "c": 3},
    ]
    assert await _seen(api, "") == await _seen(api, "?revision=3")
    origin = (await api.get("/effective/shop/prod?revision=2&prefix=a")).document["items"][0]["origin"]
    assert (origin["scope"], origin["version"], origin["revision"], origin["author"]) == (
        "environment",
        1,
        2,
        "operator",
    )
    at = origin["committed_at"].replace("+00:00", "Z")
    assert (await api.get(f"/effective/shop/prod?at={at}")).document["revision"] == 2


async def test_a_moment_in_the_future_and_a_place_that_is_not_there_are_told(api: Api) -> None:
    for query in ("?revision=1", "?at=2999-01-01T00:00:00Z", "?at=2020-01-01T00:00:00", "?revision=-1"):
        answer = await api.get(f"/effective/shop/prod{query}")
        assert (answer.status, answer.pointers[0]) == (422, query[: query.index("=")])
    for at in ("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00%2B14:00"):
        assert (await api.get(f"/effective/shop/prod?at={at}")).status == 422
        assert (await api.get(f"/compare?left=shop/prod@{at}&right=global")).status == 422
    assert (await api.get("/effective/shop/nope")).status == 404
    assert (await api.get("/effective/nope/prod")).status == 404
    both = await api.get("/effective/shop/prod?revision=0&at=2020-01-01T00:00:00Z")
    assert both.status == 422
    assert (await api.get("/effective/shop/prod?at=2020-01-01T00:00:00Z")).document["revision"] == 0


async def test_pages_of_the_past_stay_at_their_revision(api: Api) -> None:
    await _change(api, *(_put(f"k{each}", each) for each in range(5)))
    page = (await api.get("/effective/shop/prod?limit=2")).document
    await _change(api, _bare("delete", "k3"))
    keys = [each["key"] for each in page["items"]]
    while page["next_cursor"] is not None:
        page = (await api.get(f"/effective/shop/prod?limit=2&cursor={page['next_cursor']}")).document
        keys += [each["key"] for each in page["items"]]
        assert page["revision"] == 1
    assert keys == ["k0", "k1", "k2", "k3", "k4"]
    for cursor in ("x", "eA==", page["next_cursor"] or "MQ=="):
        assert (await api.get(f"/effective/shop/prod?cursor={cursor}")).status == 422


async def test_configs_are_fetched_as_they_were(api: Api) -> None:
    await _change(api, _put("a", 1), _put("s", "secret", sensitive=True))
    await _change(api, _put("a", 2))
    body = {"app_id": "shop", "environment": "prod", "revision": 1}
    fetched = (await api.post("/configs/fetch", body)).document
    assert (fetched["revision"], fetched["configs"]["a"]["value"], fetched["configs"]["s"]["value"]) == (1, 1, None)
    some = (await api.post("/configs/fetch", body | {"keys": ["a", "zz"]})).document
    assert (list(some["configs"]), some["missing"]) == (["a"], ["zz"])
    assert (await api.post("/configs/fetch", body | {"revision": 9})).pointers == ["/revision"]


async def test_two_environments_are_compared_key_by_key(api: Api) -> None:
    await _change(
        api,
        _put("same", 1, None, None),
        _put("a", {"x": 1}),
        _put("a", {"x": 2}, "shop", "staging"),
        _put("only", 1),
        _put("s", "one", sensitive=True),
        _put("s", "two", "shop", "staging"),
    )
    found = (await api.get("/compare?left=shop/prod&right=shop/staging")).document
    assert [each["key"] for each in found["items"]] == ["a", "only", "s"]
    (a, only, s) = found["items"]
    assert a["readable"] == [{"path": "/x", "op": "changed", "before": 1, "after": 2}]
    assert (a["left"]["environment"], a["right"]["environment"], only["right"]) == ("prod", "staging", None)
    assert (s["differs"], s["readable"], s["sensitive"], s["left"]["value"]) == (True, None, True, None)
    everything = (await api.get("/compare?left=shop/prod&right=shop/staging&all=true&limit=2")).document
    assert ([each["key"] for each in everything["items"]], everything["next_cursor"] is None) == (["a", "only"], False)
    rest = await api.get(f"/compare?left=shop/prod&right=shop/staging&all=true&cursor={everything['next_cursor']}")
    assert [each["key"] for each in rest.document["items"]] == ["s", "same"]


async def test_revisions_and_scopes_are_compared_as_well(api: Api) -> None:
    await _change(api, _put("a", 1), _put("a", 0, None, None))
    await _change(api, _bare("mask", "a"))
    (item,) = (await api.get("/compare?left=shop/prod@1&right=shop/prod@2")).document["items"]
    assert (item["left"]["value"], item["right"]) == (1, None)
    (item,) = (await api.get("/compare?left=global&right=env.shop.prod")).document["items"]
    assert (item["left"]["value"], item["right"]["kind"]) == (0, "mask")
    for wrong in ("shop", "shop/", "shop/prod@-x", "env.shop", "shop/prod@99", "shop/prod@2020-01-01T00:00:00"):
        assert (await api.get(f"/compare?left={wrong}&right=global")).status == 422, wrong
    assert (await api.get("/compare?left=shop/nope&right=global")).status == 404
    assert (await api.get("/compare?left=app.nope&right=global")).status == 404
    assert (await api.get("/compare?right=global")).status == 422


async def test_what_is_archived_has_a_past_as_well(api: Api) -> None:
    await _change(api, _put("a", 1))
    await _change(api, _put("a", 2))
    archived = await api.post("/apps/shop/archive", {"confirm": "shop", "force": True})
    assert archived.status == 200, archived.body
    assert await _seen(api, "?revision=1") == {"a": 1}
    assert (await api.get("/compare?left=shop/prod@1&right=shop/prod")).document["items"][0]["key"] == "a"
    refused = await api.post("/changes/2/revert", {})
    assert refused.status == 409
    assert "unarchive" in refused.document["hint"]

"""Changes of several operations over HTTP, and their record."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from control_plane.domain.limits import Limits
from tests.rig.api import Api, serving_api

_LIMITS = Limits(body_bytes=20_000, value_bytes=1_000, value_depth=4, operations=5, text_length=50, page_size=10)


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url, _LIMITS) as api:
        await api.register("shop", "prod")
        yield api


def _put(key: str, value: Any, app_id: str | None = "shop", environment: str | None = None, **more: Any) -> Any:
    return {"op": "put", "app_id": app_id, "environment": environment, "key": key, "value": value, **more}


async def _fetch(api: Api) -> dict[str, Any]:
    fetched = await api.post("/configs/fetch", {"app_id": "shop", "environment": "prod"})
    return {key: each["value"] for key, each in fetched.document["configs"].items()}


async def _revision(api: Api) -> int:
    return await api.services.changes.revision()


async def test_a_change_over_several_scopes_is_one_revision(api: Api) -> None:
    operations = [_put("a", 1, None), _put("a", 2), _put("b", {"x": [1]}, "shop", "prod")]
    made = await api.post("/changes", {"message": "start", "operations": operations})
    assert (made.status, made.headers["Location"]) == (201, "/api/v1/changes/1")
    assert [(each["scope"], each["version"]) for each in made.document["operations"]] == [
        ("global", 1),
        ("app", 1),
        ("environment", 1),
    ]
    found = (await api.get("/changes/1")).document
    assert (found["author"], found["message"], found["source"]) == ("operator", "start", "api")
    assert [each["scope"] for each in found["scopes"]] == ["global", "app", "environment"]
    assert await _fetch(api) == {"a": 2, "b": {"x": [1]}}


async def test_a_mask_hides_what_is_inherited_until_it_is_taken_away(api: Api) -> None:
    await api.post("/changes", {"operations": [_put("a", 1, None)]})
    place = {"app_id": "shop", "environment": "prod", "key": "a"}
    masked = await api.post("/changes", {"operations": [{"op": "mask", **place}]})
    assert await _fetch(api) == {}
    config = (await api.get(f"/configs/{masked.document['operations'][0]['id']}")).document
    assert (config["kind"], config["value"]) == ("mask", None)
    await api.post("/changes", {"operations": [{"op": "unmask", **place}]})
    assert await _fetch(api) == {"a": 1}


async def test_deleting_a_mask_as_a_config_takes_it_away(api: Api) -> None:
    await api.post("/changes", {"operations": [_put("a", 1, None)]})
    masked = await api.post("/changes", {"operations": [{"op": "mask", "app_id": "shop", "key": "a"}]})
    path = f"/configs/{masked.document['operations'][0]['id']}"
    gone = await api.delete(path, headers={"If-Match": '"1"'})
    assert (gone.status, gone.document["op"]) == (200, "unmask")
    assert await _fetch(api) == {"a": 1}


async def test_a_dry_run_tells_what_would_be_and_does_nothing(api: Api) -> None:
    tried = await api.post("/changes", {"operations": [_put("a", 1)], "dry_run": True})
    assert (tried.status, tried.document["dry_run"], tried.document["revision"]) == (200, True, 1)
    assert (await _fetch(api), await _revision(api)) == ({}, 0)


async def test_a_base_revision_refuses_keys_that_moved_since(api: Api) -> None:
    await api.post("/changes", {"operations": [_put("a", 1), _put("b", 1)]})
    await api.post("/changes", {"operations": [_put("a", 2)]})
    late = await api.post("/changes", {"operations": [_put("a", 3), _put("b", 3)], "base_revision": 1})
    assert late.status == 409
    assert [each["key"] for each in late.document["conflicts"]] == ["a"]
    assert (await api.post("/changes", {"operations": [_put("b", 3)], "base_revision": 1})).status == 201


async def test_an_operation_can_expect_a_version(api: Api) -> None:
    await api.post("/changes", {"operations": [_put("a", 1)]})
    late = await api.post("/changes", {"operations": [_put("a", 2, expected_version=7)]})
    assert (late.status, late.document["current_version"]) == (412, 1)
    assert (await api.post("/changes", {"operations": [_put("a", 2, expected_version=0)]})).status == 409
    assert (await api.post("/changes", {"operations": [_put("a", 2, expected_version=1)]})).status == 201


async def test_a_change_is_all_or_nothing(api: Api) -> None:
    nowhere = {"op": "delete", "app_id": "shop", "key": "never"}
    refused = await api.post("/changes", {"operations": [_put("a", 1), nowhere]})
    assert (refused.status, refused.pointers) == (422, ["/operations/1/key"])
    unknown = await api.post("/changes", {"operations": [_put("a", 1), _put("a", 1, "nope")]})
    assert (unknown.status, await _revision(api)) == (404, 0)


_DEEP: Any = [[[[[0]]]]]


_INVALID: list[tuple[Any, list[str]]] = [
    ({"operations": []}, ["/operations"]),
    ({}, ["/operations"]),
    ({"operations": [_put("a", 1), _put("b", 1), _put("a", 2)]}, ["/operations/2/key"]),
    ({"operations": [_put(f"k{i}", i) for i in range(6)]}, ["/operations"]),
    ({"operations": [_put("a", _DEEP)]}, ["/operations/0/value"]),
    ({"operations": [_put("a", ["\0"])]}, ["/operations/0/value"]),
    ({"operations": [_put("a", {"\0": 1})]}, ["/operations/0/value"]),
    ({"operations": [_put("a/b", 1)]}, ["/operations/0/key"]),
    ({"operations": [_put("a" * 256, 1)]}, ["/operations/0/key"]),
    ({"operations": [_put("a", 1, None, "prod")]}, ["/operations/0/environment"]),
    ({"operations": [_put("a", 1, "UPPER")]}, ["/operations/0/app_id"]),
    ({"operations": [_put("a", 1, typo=1)]}, ["/operations/0/typo"]),
    ({"operations": [{"op": "put", "key": "a"}]}, ["/operations/0/value"]),
    ({"operations": [{"op": "mask", "key": "a", "value": 1}]}, ["/operations/0/value"]),
    ({"operations": [{"op": "rename", "key": "a"}]}, ["/operations/0"]),
    ({"operations": [{"key": "a"}, 3]}, ["/operations/0", "/operations/1"]),
    ({"operations": [_put("a", 1, expected_version=-1)]}, ["/operations/0/expected_version"]),
    ({"operations": [_put("a", 1, expected_version="1")]}, ["/operations/0/expected_version"]),
    ({"operations": [_put("a", 1, description="x" * 51)]}, ["/operations/0/description"]),
    ({"operations": [_put("a", 1)], "message": "x" * 51}, ["/message"]),
    ({"operations": [_put("a", 1)], "message": "\0"}, ["/message"]),
    ({"operations": [_put("a", 1)], "message": 3}, ["/message"]),
    ({"operations": [_put("a", 1)], "base_revision": -1}, ["/base_revision"]),
    ({"operations": [_put("a", 1)], "base_revision": 2**63}, ["/base_revision"]),
    ({"operations": [_put("a", 1)], "a/b~c": 1}, ["/a~1b~0c"]),
    ([], [""]),
    (None, [""]),
    ("text", [""]),
]


async def test_what_is_not_valid_is_pointed_at_and_changes_nothing(api: Api) -> None:
    for body, pointers in _INVALID:
        answer = await api.post("/changes", body, raw=b"null" if body is None else None)
        assert (answer.status, answer.pointers) == (422, pointers), body
    assert await _revision(api) == 0


async def test_a_number_that_could_not_be_kept_is_refused(api: Api) -> None:
    for number in (b"NaN", b"Infinity", b"1e400", b"123456789012345678901234567890"):
        raw = b'{"operations": [{"op": "put", "key": "a", "value": [%s]}]}' % number
        answer = await api.post("/changes", None, raw=raw)
        assert (answer.status, answer.pointers) == (422, ["/operations/0/value"]), number


async def test_what_is_no_json_is_malformed(api: Api) -> None:
    for raw in (b"", b"{", b'{"operations": "\\ud800"}', b"\xff\xfe{}", b'{"message": "\xff"}', b"[" * 5000):
        assert (await api.post("/changes", None, raw=raw)).status == 400, raw


async def test_only_json_is_read(api: Api) -> None:
    for media_type in ("text/plain", "application/xml", "application/json; charset=latin-1", ""):
        answer = await api.post("/changes", {"operations": []}, headers={"Content-Type": media_type})
        assert answer.status == 415


async def test_a_value_larger_than_its_limit_is_told_the_limit(api: Api) -> None:
    answer = await api.post("/changes", {"operations": [_put("a", 1), _put("b", "x" * 1_000)]})
    assert (answer.status, answer.document["limit"], answer.document["allowed"]) == (413, "value_bytes", 1_000)
    assert answer.pointers == ["/operations/1/value"]
    single = await api.post("/configs", {"key": "b", "value": "x" * 1_000})
    assert (single.status, single.pointers) == (413, ["/value"])


async def test_violations_of_a_single_config_point_into_its_body(api: Api) -> None:
    assert (await api.post("/configs", {"key": "b", "value": _DEEP})).pointers == ["/value"]


async def test_a_body_larger_than_its_limit_is_not_read(api: Api) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1_000

    for data in (b" " * 20_001, endless()):
        headers = {"Authorization": f"Bearer {api.operator}", "Content-Type": "application/json"}
        async with api.session.post(f"{api.url}/api/v1/changes", data=data, headers=headers) as response:
            problem = await response.json(content_type="application/problem+json")
        assert (response.status, problem["limit"], problem["allowed"]) == (413, "body_bytes", 20_000)


async def test_an_idempotency_key_has_visible_ascii_characters(api: Api) -> None:
    for key in ("", " ", "x" * 256, "a b", "ä"):
        answer = await api.post("/changes", {"operations": [_put("a", 1)]}, headers={"Idempotency-Key": key})
        assert (answer.status, await _revision(api)) == (400, 0)


async def test_a_repeated_change_is_committed_once(api: Api) -> None:
    body = {"operations": [_put("a", 1)]}
    first = await api.post("/changes", body, headers={"Idempotency-Key": "k"})
    again = await api.post("/changes", body, headers={"Idempotency-Key": "k"})
    assert (again.document, again.headers["Idempotency-Replayed"]) == (first.document, "true")
    assert await _revision(api) == 1


async def test_the_record_is_listed_newest_first_and_by_application(api: Api) -> None:
    await api.register("mail", "dev")
    for index in range(3):
        await api.post("/changes", {"message": f"m{index}", "operations": [_put("a", index)]})
    await api.post("/changes", {"operations": [_put("a", 1, "mail")]})
    page = (await api.get("/changes?limit=2")).document
    assert [each["revision"] for each in page["items"]] == [4, 3]
    page = (await api.get(f"/changes?limit=2&cursor={page['next_cursor']}")).document
    assert ([each["revision"] for each in page["items"]], page["next_cursor"]) == ([2, 1], None)
    assert [each["revision"] for each in (await api.get("/changes?app_id=mail")).document["items"]] == [4]


async def test_a_revision_that_is_not_there_is_not_found(api: Api) -> None:
    for revision in ("0", "1", "-1", "x", "9223372036854775808", "9" * 400, "1.0", "%00"):
        assert (await api.get(f"/changes/{revision}")).status == 404
        assert (await api.get(f"/changes/{revision}/convergence")).status == 404

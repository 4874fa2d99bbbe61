"""Flags and segments over HTTP: written strictly, through everything that a value goes through, and never left dangling."""

from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from control_plane.domain.limits import Limits
from shared.domain.codec import encode
from shared.wire.yaml_reading import read_yaml
from tests.rig.api import Answer, Api, serving_api

SEGMENT = {"when": {"attribute": "country", "op": "in", "values": ["SE", "NO"]}}
YAML = {"Content-Type": "application/yaml"}


def flag(*rules: Any, **more: Any) -> dict[str, Any]:
    return {"variants": {"on": True, "off": False}, "default": "off", "rules": list(rules), **more}


def when(condition: Any) -> Any:
    return {"when": condition, "serve": "on"}


def of_segment(key: str) -> Any:
    return when({"segment": key})


def needs(key: str) -> Any:
    return when({"config": key, "op": "eq", "values": [True]})


def put(key: str, app_id: str | None = "shop", environment: str | None = None, **content: Any) -> Any:
    return {"op": "put", "app_id": app_id, "environment": environment, "key": key, **content}


def bare(op: str, key: str, app_id: str | None = "shop", environment: str | None = None) -> Any:
    return {"op": op, "app_id": app_id, "environment": environment, "key": key}


SEAL_KEY = b64encode(bytes(range(64))).decode()


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url, seal_key=SEAL_KEY) as api:
        await api.register("shop", "prod")
        await api.register("shop", "dev")
        await api.register("mail", "prod")
        yield api


async def change(api: Api, *operations: Any, **more: Any) -> Answer:
    return await api.post("/changes", {"operations": operations, **more})


async def done(api: Api, *operations: Any, **more: Any) -> Any:
    answer = await change(api, *operations, **more)
    assert answer.status in {200, 201}, answer.body
    return answer.document


async def refused(api: Api, *operations: Any) -> list[tuple[str, str]]:
    """The violations of a change that is refused, which does nothing."""
    before = await api.services.changes.revision()
    answer = await change(api, *operations)
    assert answer.status == 422, answer.body
    assert await api.services.changes.revision() == before
    assert (await change(api, *operations, dry_run=True)).status == 422
    return [(each["pointer"], each["detail"]) for each in answer.document["violations"]]


async def fetched(api: Api, environment: str = "prod", **context: Any) -> Any:
    body = {"app_id": "shop", "environment": environment, "context": context}
    return (await api.post("/configs/fetch", body)).document["configs"]


async def test_a_flag_is_created_read_updated_and_resolved_for_who_asks(api: Api) -> None:
    assert (await api.post("/configs", {"app_id": "shop", "key": "nordic", "segment": SEGMENT})).status == 201
    made = await api.post("/configs", {"app_id": "shop", "key": "checkout", "flag": flag(of_segment("nordic"))})
    assert made.status == 201, made.body
    path = f"/configs/{made.document['id']}"
    shown = (await api.get(path)).document
    assert (shown["kind"], shown["value"], shown["segment"]) == ("flag", None, None)
    assert shown["flag"] == flag(of_segment("nordic"))
    swede, dane = await fetched(api, country="SE"), await fetched(api, country="DK")
    assert (swede["checkout"]["value"], swede["checkout"]["variant"]) == (True, "on")
    assert (dane["checkout"]["value"], dane["checkout"]["variant"]) == (False, "off")
    assert "nordic" not in swede
    described = await api.put(path, {"description": "The new one"}, headers={"If-Match": '"1"'})
    assert described.status == 200
    shown = (await api.get(path)).document
    assert (shown["kind"], shown["description"], shown["version"]) == ("flag", "The new one", 2)
    assert (await api.put(path, {"flag": flag(on=False)}, headers={"If-Match": "*"})).status == 200
    assert (await fetched(api, country="SE"))["checkout"]["reason"] == "DISABLED"
    listed = (await api.get("/configs?kind=segment")).document["items"]
    assert [(each["key"], each["segment"]) for each in listed] == [("nordic", SEGMENT)]
    found = (await api.get("/search?q=country&kind=segment")).document["items"]
    assert [each["key"] for each in found] == ["nordic"]


@pytest.mark.parametrize(
    ("content", "pointers"),
    [
        ({}, ["/operations/0/value"]),
        ({"value": 1, "flag": flag()}, ["/operations/0"]),
        ({"flag": {}}, ["/operations/0/flag/variants", "/operations/0/flag/default", "/operations/0/flag/off"]),
        ({"flag": flag(off="maybe")}, ["/operations/0/flag/off"]),
        ({"flag": flag({"serve": "maybe"})}, ["/operations/0/flag/rules/0/serve"]),
        ({"flag": flag(extra=1)}, ["/operations/0/flag/extra"]),
        ({"flag": flag(when({}))}, ["/operations/0/flag/rules/0/when"]),
        (
            {"flag": flag(when({"all": [{"segment": "x"}, {"attribute": "a", "op": "is", "values": [1]}]}))},
            ["/operations/0/flag/rules/0/when/all/1/op"],
        ),
        (
            {"flag": flag({"split": [{"variant": "on", "weight": 99_999}]})},
            ["/operations/0/flag/rules/0/split"],
        ),
        ({"flag": {"variants": {"a": 1, "b": "x"}, "default": "a"}}, ["/operations/0/flag/variants/b"]),
        ({"segment": {"when": {"attribute": "a", "op": "eq", "values": []}}}, ["/operations/0/segment/when/values"]),
        ({"segment": {}}, ["/operations/0/segment/when"]),
    ],
)
async def test_what_is_no_flag_or_segment_is_told_where(api: Api, content: Any, pointers: list[str]) -> None:
    found = await refused(api, put("k", **content))
    assert sorted({pointer for pointer, _ in found}) == sorted(pointers)


async def test_sizes_are_limited_by_name(migrated_url: str) -> None:
    async with serving_api(migrated_url, Limits(value_bytes=100, document_bytes=200)) as api:
        long = flag(when({"attribute": "a", "op": "eq", "values": ["x" * 200]}))
        answer = await change(api, put("k", None, flag=long))
        assert (answer.status, answer.document["limit"]) == (413, "document_bytes")
        assert answer.pointers == ["/operations/0/flag"]
        assert (await change(api, put("k", None, flag=flag()))).status == 201


async def test_a_long_list_is_kept_as_short_members(api: Api) -> None:
    users = [f"u{number:x}" for number in range(100_000)]
    everybody = {"when": {"not": {"attribute": "targetingKey", "op": "in", "values": users}}}
    await done(api, put("s", segment=everybody), put("f", flag=flag(of_segment("s"))))
    kept = (await api.get("/configs?kind=segment")).document["items"][0]["segment"]
    assert kept["when"]["not"].keys() == {"attribute", "members"}
    assert len(encode(kept)) < 700_000
    assert (await fetched(api, targetingKey="u1869f"))["f"]["value"] is False
    assert (await fetched(api, targetingKey="u186a0"))["f"]["value"] is True


async def test_a_reference_must_lead_somewhere_in_each_environment_that_sees_it(api: Api) -> None:
    await done(api, put("nordic", "shop", "prod", segment=SEGMENT), put("limit", "shop", value=5))
    at = "/operations/0/flag/rules/0/when/segment"
    assert await refused(api, put("f", flag=flag(of_segment("nordic")))) == [
        (at, "refers to nordic, and there is no such segment in shop/dev")
    ]
    assert await refused(api, put("f", flag=flag(of_segment("limit")))) == [
        (at, "refers to the segment limit, which is no segment in shop/dev and 1 other environment")
    ]
    assert await refused(api, put("f", "shop", "prod", flag=flag(needs("nordic")))) == [
        (
            "/operations/0/flag/rules/0/when/config",
            "refers to what nordic yields, and a segment yields nothing in shop/prod",
        )
    ]
    assert await refused(api, put("f", None, flag=flag(needs("limit")))) == [
        ("/operations/0/flag/rules/0/when/config", "refers to limit, and there is no such config in mail/prod")
    ]
    await done(api, put("f", "shop", "prod", flag=flag(of_segment("nordic"), needs("limit"))))


async def test_a_reference_is_followed_where_no_environment_is_yet(api: Api) -> None:
    await api.post("/apps", {"app_id": "new"})
    found = await refused(api, put("f", "new", flag=flag(of_segment("nordic"))))
    assert found[0][1].endswith("in the scope of new")
    await done(api, put("nordic", "new", segment=SEGMENT), put("f", "new", flag=flag(of_segment("nordic"))))


async def test_circles_are_refused_with_their_way(api: Api) -> None:
    at = "/operations/0/flag/rules/0/when/config"
    assert await refused(api, put("a", flag=flag(needs("a")))) == [
        (at, "refers back to itself: a → a in shop/dev and 1 other environment")
    ]
    await done(api, put("b", None, value=True), put("a", flag=flag(needs("b"))))
    assert await refused(api, put("b", "shop", "prod", flag=flag(needs("a")))) == [
        (at, "refers back to itself: b → a → b in shop/prod")
    ]
    await done(api, put("s", segment={"when": {"config": "a", "op": "eq", "values": [True]}}))
    found = await refused(api, put("b", flag=flag(of_segment("s"))))
    assert found == [
        (
            "/operations/0/flag/rules/0/when/segment",
            "refers back to itself: b → s → a → b in shop/dev and 1 other environment",
        )
    ]
    await done(api, put("b", "mail", "prod", flag=flag()))
    two = await refused(api, put("c", flag=flag(needs("d"))), put("d", flag=flag(needs("c"))))
    assert [detail.split(" in ")[0] for _, detail in two] == [
        "refers back to itself: c → d → c",
        "refers back to itself: d → c → d",
    ]


async def test_more_references_than_are_followed_are_refused(api: Api) -> None:
    chain = [put(f"f{index}", flag=flag(needs(f"f{index + 1}"))) for index in range(16)]
    await done(api, *chain, put("f16", value=True))
    found = await refused(api, put("top", flag=flag(needs("f0"))))
    assert "the limit is 16 references" in found[0][1]
    await done(api, put("top", flag=flag(needs("f1"))))
    assert (
        "the limit is 16 references"
        in (await refused(api, put("f16", flag=flag(needs("top2"))), put("top2", value=1)))[0][1]
    )


async def test_what_others_refer_to_stays(api: Api) -> None:
    await done(
        api,
        put("nordic", segment=SEGMENT),
        put("limit", None, value=True),
        put("f", flag=flag(of_segment("nordic"), needs("limit"))),
        put("g", "shop", "prod", flag=flag(of_segment("nordic"))),
    )
    gone = "nordic would no longer be a segment for what refers to it: f"
    for operation in (bare("delete", "nordic"), bare("mask", "nordic"), put("nordic", value=1)):
        found = await refused(api, operation)
        assert found == [
            ("/operations/0/key", f"{gone} in shop/dev"),
            ("/operations/0/key", f"{gone}, g in shop/prod"),
        ]
    assert await refused(api, bare("mask", "limit", "shop", "prod")) == [
        ("/operations/0/key", "limit would no longer be a config for what refers to it: f in shop/prod")
    ]
    assert (await refused(api, put("limit", "shop", segment=SEGMENT)))[0][0] == "/operations/0/key"
    config = (await api.get("/configs?kind=segment")).document["items"][0]
    answer = await api.delete(f"/configs/{config['id']}", headers={"If-Match": "*"})
    assert (answer.status, answer.pointers) == (422, ["/key", "/key"])
    await done(api, bare("delete", "limit", None), put("limit", "shop", value=True))
    await done(api, bare("delete", "f"), bare("delete", "g", "shop", "prod"), bare("delete", "nordic"))


async def test_what_shows_again_must_find_what_it_refers_to(api: Api) -> None:
    await done(
        api,
        put("f", "shop", "prod", value=True),
        put("f", "shop", "dev", value=True),
        put("s", "shop", "dev", segment=SEGMENT),
        put("f", "shop", flag=flag(of_segment("s"))),
    )
    assert await refused(api, bare("delete", "f", "shop", "prod")) == [
        ("/operations/0/key", "refers to s, and there is no such segment in shop/prod")
    ]
    await done(api, bare("delete", "f", "shop", "dev"))


async def test_a_preview_names_what_depends_on_the_change(api: Api) -> None:
    await done(
        api,
        put("nordic", segment=SEGMENT),
        put("f", flag=flag(of_segment("nordic"))),
        put("g", "shop", "prod", flag=flag(needs("f"))),
    )
    wider = {"when": {"attribute": "country", "op": "exists"}}
    answer = await api.post("/changes/preview", {"operations": [put("nordic", segment=wider)]})
    preview = answer.document
    assert [(each["environment"], each["scope"], each["key"], each["kind"], each["refers_to"])
            for each in preview["dependants"]["items"]] == [
        ("dev", "app", "f", "flag", "nordic"),
        ("prod", "app", "f", "flag", "nordic"),
        ("prod", "environment", "g", "flag", "f"),
    ]  # fmt: skip
    assert preview["dependants"]["total"] == 3
    assert preview["would_commit"] is True
    sides = preview["differences"]["items"][0]
    assert (sides["before"]["segment"], sides["after"]["segment"]) == (SEGMENT, wider)
    assert preview["blast_radius"]["environments"]["total"] == 2


async def test_a_preview_warns_of_what_a_later_environment_would_not_find(api: Api) -> None:
    await done(api, put("s", "shop", "prod", segment=SEGMENT), put("s", "shop", "dev", segment=SEGMENT))
    body = {"operations": [put("f", flag=flag(of_segment("s")))]}
    (warning,) = (await api.post("/changes/preview", body)).document["warnings"]
    assert warning["pointer"] == "/operations/0/flag/rules/0/when/segment"
    assert warning["detail"].startswith("refers to s, and there is no such segment in the scope of shop: ")
    await done(api, *body["operations"])
    await api.post("/apps/shop/environments", {"environment": "late"})
    late = (await fetched(api, "late", country="SE"))["f"]
    assert (late["value"], late["error"]) == (False, "GENERAL")
    await done(api, put("f", flag=flag(of_segment("s"), on=False)))


async def test_a_schema_holds_for_each_variant(api: Api) -> None:
    await api.post("/schemas", {"app_id": "shop", "pattern": "limit", "schema": {"type": "integer", "maximum": 10}})
    document = {"variants": {"low": 1, "high": 11}, "default": "low"}
    answer = await change(api, put("limit", flag=document))
    assert answer.status == 422
    assert answer.pointers[0] == "/operations/0/flag/variants/high"
    assert answer.document["schema_violations"][0]["detail"].startswith("variant 'high': ")
    await done(api, put("limit", flag=document | {"variants": {"low": 1, "high": 10}}))
    narrower = {"app_id": "shop", "pattern": "limit", "schema": {"type": "integer", "maximum": 9}}
    answer = await api.put(
        f"/schemas/{(await api.get('/schemas')).document['items'][0]['id']}", narrower, headers={"If-Match": "*"}
    )
    assert answer.status == 422
    await done(api, put("limit", "shop", "prod", segment=SEGMENT))


async def test_the_type_that_readers_get_is_guarded(api: Api) -> None:
    await done(api, put("k", value=True))
    texts = {"variants": {"a": "x", "b": "y"}, "default": "a"}
    answer = await change(api, put("k", flag=texts))
    assert (answer.status, answer.document["guards"][0]["guard"]) == (409, "type_change")
    await done(api, put("k", flag=flag()))
    assert (await change(api, put("k", "shop", "prod", value="x"))).status == 409
    await done(api, put("k", flag=texts), force={"reason": "readers know"})


async def test_a_secret_looking_variant_is_warned_of(api: Api) -> None:
    document = {"variants": {"a": "hunter2", "b": ""}, "default": "a"}
    preview = (await api.post("/changes/preview", {"operations": [put("db.password", flag=document)]})).document
    assert [each["pointer"] for each in preview["warnings"]] == ["/operations/0/sensitive"]


async def test_a_secret_flag_stays_secret(api: Api) -> None:
    secret = {"variants": {"a": "hunter2", "b": "hunter3"}, "default": "a"}
    made = await api.post("/configs", {"app_id": "shop", "key": "token", "flag": secret, "sensitive": True})
    config_id = made.document["id"]
    pages = [
        await api.get(f"/configs/{config_id}"),
        await api.get(f"/configs/{config_id}/versions"),
        await api.get("/configs?text=hunter2"),
        await api.get("/search?q=hunter2"),
        await api.get("/export"),
        await api.get("/audit"),
        await change(api, put("token", flag=secret | {"default": "b"}), dry_run=True),
        await api.post("/configs/fetch", {"app_id": "shop", "environment": "prod"}),
    ]
    assert not any(b"hunter" in each.body for each in pages)
    assert pages[0].document["kind"] == "flag"


async def test_the_past_knows_flags_and_puts_them_back(api: Api) -> None:
    await done(api, put("s", segment=SEGMENT), put("f", flag=flag(of_segment("s"))))
    config_id = (await api.get("/configs?kind=flag")).document["items"][0]["id"]
    await done(api, put("f", value=True))
    versions = (await api.get(f"/configs/{config_id}/versions")).document["items"]
    assert [(each["kind"], each["value"], each["flag"]) for each in versions] == [
        ("value", True, None),
        ("flag", None, flag(of_segment("s"))),
    ]
    effective = (await api.get("/effective/shop/prod?revision=1")).document["items"]
    assert [each["origin"]["kind"] for each in effective] == ["flag", "segment"]
    difference = (await api.get(f"/configs/{config_id}/difference?from=1&to=2")).document
    assert difference["differs"] is True
    compared = (await api.get("/compare?left=shop/prod@1&right=shop/prod")).document["items"]
    assert [(each["key"], each["left"]["kind"], each["right"]["kind"]) for each in compared] == [("f", "flag", "value")]
    past = {"app_id": "shop", "environment": "prod", "revision": 1, "context": {"country": "SE"}, "keys": ["f"]}
    assert (await api.post("/configs/fetch", past)).document["configs"]["f"]["variant"] == "on"

    assert (await api.post("/changes/2/revert", {})).status == 201
    assert (await api.get(f"/configs/{config_id}")).document["flag"] == flag(of_segment("s"))
    assert (await api.post(f"/configs/{config_id}/rollback", {"version": 2})).status == 201
    assert (await api.get(f"/configs/{config_id}")).document["value"] is True
    assert (await api.post("/apps/shop/environments/prod/restore", {"revision": 1})).status == 201
    restored = (await api.get("/configs?scope=environment")).document["items"]
    assert [(each["key"], each["flag"]) for each in restored] == [("f", flag(of_segment("s")))]


async def test_an_undo_leaves_nothing_dangling_either(api: Api) -> None:
    await done(api, put("s", segment=SEGMENT))
    await done(api, put("f", flag=flag(of_segment("s"))))
    answer = await api.post("/changes/1/revert", {})
    assert answer.status == 422
    assert "what refers to it: f" in answer.document["violations"][0]["detail"]


async def test_flags_are_promoted_with_what_they_refer_to(api: Api) -> None:
    await done(api, put("s", "shop", "dev", segment=SEGMENT), put("f", "shop", "dev", flag=flag(of_segment("s"))))
    place = {"app_id": "shop"}
    body = {"from": place | {"environment": "dev"}, "to": place | {"environment": "prod"}}
    alone = await api.post("/promotions", body | {"keys": ["f"]})
    assert (alone.status, alone.pointers) == (422, ["/operations/0/flag/rules/0/when/segment"])
    assert (await api.post("/promotions", body | {"keys": ["f", "s"]})).status == 201
    kinds = {each["key"]: each["kind"] for each in (await api.get("/configs?environment=prod")).document["items"]}
    assert kinds == {"f": "flag", "s": "segment"}


async def test_a_stored_change_keeps_its_flags(api: Api) -> None:
    stored = await done(api, put("s", segment=SEGMENT), put("f", flag=flag(of_segment("s"))), mode="draft")
    shown = (await api.get(f"/changes/{stored['id']}")).document["life"]["operations"]
    assert [(each["segment"], each["flag"]) for each in shown] == [(SEGMENT, None), (None, flag(of_segment("s")))]
    assert (await api.post(f"/changes/{stored['id']}/submit", {})).status == 200
    answer = await api.post(f"/changes/{stored['id']}/commit", {})
    assert answer.status == 200, answer.body
    assert len((await api.get("/configs?kind=flag")).document["items"]) == 1
    dangling = await change(api, put("g", flag=flag(of_segment("none"))), mode="submit")
    assert dangling.status == 422


async def test_flags_go_out_and_in_as_documents(api: Api, other_url: str) -> None:
    secret = {"variants": {"a": "x", "b": "y"}, "default": "a"}
    await done(
        api,
        put("s", None, segment=SEGMENT),
        put("f", flag=flag(of_segment("s"))),
        put("secret", flag=secret, sensitive=True),
    )
    for form in ("yaml", "json"):
        exported = (await api.get(f"/export?format={form}&sensitive=seal")).body
        document: Any = read_yaml(exported)
        assert document["global"]["configs"]["s"] == {"segment": SEGMENT}
        assert document["apps"]["shop"]["configs"]["f"] == {"flag": flag(of_segment("s"))}
        assert document["apps"]["shop"]["configs"]["secret"]["kind"] == "flag"
        again = await api.post("/import", None, raw=encode(document | {"on_conflict": "overwrite"}))
        assert again.document["counts"]["unchanged"] == 3
    async with serving_api(other_url, seal_key=SEAL_KEY) as other:
        answer = await other.post("/import", document | {"create_missing": True})
        assert answer.status == 201, answer.body
        assert (await other.get("/configs?kind=flag")).document["items"][0]["flag"] == flag(of_segment("s"))
        assert (await other.get("/export?format=json&sensitive=seal")).document["apps"] == document["apps"]
        document["apps"]["shop"]["configs"]["f"] = {"flag": flag(of_segment("t"))}
        bad = await other.post("/import", document | {"on_conflict": "overwrite"})
        assert (bad.status, bad.pointers) == (422, ["/apps/shop/configs/f/flag/rules/0/when/segment"])


async def test_an_omitted_secret_keeps_being_a_flag(api: Api) -> None:
    secret = {"variants": {"a": "x", "b": "y"}, "default": "a"}
    await done(api, put("secret", flag=secret, sensitive=True))
    document = (await api.get("/export?format=json")).document
    document["apps"]["shop"]["configs"]["secret"]["owner"] = "me"
    answer = await api.post("/import", document)
    assert answer.status == 201, answer.body
    (shown,) = (await api.get("/configs")).document["items"]
    assert (shown["kind"], shown["owner"], shown["version"]) == ("flag", "me", 2)


async def test_of_those_who_write_at_the_same_time_nobody_leaves_a_reference_dangling(api: Api) -> None:
    """Some point at a segment while others delete it, and some close a circle from its other end."""
    await done(api, put("s", segment=SEGMENT), put("a", value=True), put("b", value=True))
    statuses: list[int] = []

    async def write(*operations: Any) -> None:
        statuses.append((await change(api, *operations)).status)

    for _ in range(3):
        async with anyio.create_task_group() as group:
            for index in range(4):
                group.start_soon(write, put(f"f{index}", flag=flag(of_segment("s"))))
            group.start_soon(write, bare("delete", "s"))
            group.start_soon(write, put("a", flag=flag(needs("b"))))
            group.start_soon(write, put("b", flag=flag(needs("a"))))
        await require_sound(api)
        await change(api, *(bare("delete", f"f{index}") for index in range(4)))
        await change(api, put("s", segment=SEGMENT), force={"reason": "again"})
        await done(api, put("a", value=True), put("b", value=True))
    assert not any(each >= 500 for each in statuses)
    assert statuses.count(422) >= 3


async def require_sound(api: Api) -> None:
    for environment in ("prod", "dev"):
        resolved = await fetched(api, environment)
        assert not [key for key, each in resolved.items() if each["error"]], resolved

"""The OpenFeature Remote Evaluation Protocol as its clients need it, each answer held against the protocol's schemas."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from agent.local_api.ofrep.question import MAX_FLAGS
from agent.local_api.server import MAX_BODY
from agent.local_api.view import Policy
from shared.domain.codec import Json, encode
from shared.runtime.clock import Clock, unix_ms
from shared.runtime.listen import Listen
from tests.fakes.clock import ManualClock
from tests.fakes.snapshots import snapshot_of, with_values
from tests.integration.test_local_api import TOKEN, Agent, agent
from tests.rig.entries import FLAG, START, entry, exposure, seeing
from tests.rig.ofrep import Reader

VALUES: dict[str, Json] = {
    "web.theme": "dark", "web.on": True, "web.size": 3, "web.rate": 0.5, "web.limits": {"a": 1}, "web.hosts": ["a"],
    "db.pool": 20,
}  # fmt: skip
SPLIT = {
    "variants": {"a": 1, "b": 0.5},
    "default": "a",
    "rules": [{"split": [{"variant": "a", "weight": 50_000}, {"variant": "b", "weight": 50_000}]}],
}
SEGMENT = {"attribute": "country", "op": "eq", "values": ["SE"]}


@asynccontextmanager
async def reading(
    local_token: str = "",
    policy: Policy | None = None,
    listen: Listen | None = None,
    clock: Clock | None = None,
    **headers: str,
) -> AsyncIterator[tuple[Agent, Reader]]:
    async with agent(policy, listen, local_token, clock=clock) as it:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        yield it, Reader(it.session, it.url, named)


def sensitive(it: Agent, **values: Json) -> None:
    it.live(snapshot_of(it.store.current.revision + 1, values, sensitive=list(values)))


async def test_every_type_of_value_is_a_flag_with_reason_and_variant() -> None:
    async with reading() as (it, reader):
        it.live(snapshot_of(7, VALUES))
        for key, value in VALUES.items():
            told = await reader.single(key, {"targetingKey": "ada"})
            assert told.document == {
                "key": key,
                "value": value,
                "reason": "STATIC",
                "variant": "value",
                "metadata": {"version": 1, "revision": 7, "scope": "environment"},
            }
        bulk = await reader.bulk({"targetingKey": "ada"})
        assert {each["key"]: each["value"] for each in bulk.document["flags"]} == VALUES
        assert bulk.document["metadata"] == {"app": "billing", "environment": "prod", "revision": 7}
        assert bulk.headers["Trimtab-Revision"] == "7"


async def test_rules_decide_by_the_context_and_segments_are_no_flags() -> None:
    async with reading() as (it, reader):
        seeing(it, entry("f", FLAG, "flag"), entry("swedes", {"when": SEGMENT}, "segment"), entry("v", 1))
        for context, value, variant, reason in (
            ({}, False, "off", "DEFAULT"),
            ({"country": "SE"}, True, "on", "TARGETING_MATCH"),
            ({"age": 65}, True, "on", "TARGETING_MATCH"),
            ({"groups": "beta"}, True, "on", "TARGETING_MATCH"),
            ({"groups": ["alpha", "beta"]}, True, "on", "TARGETING_MATCH"),
        ):
            single = (await reader.single("f", context)).document
            assert (single["value"], single["variant"], single["reason"]) == (value, variant, reason)
            bulk = await reader.bulk(context)
            assert bulk.flag("f") == single
            assert bulk.keys == ["f", "v"]
        refused = await reader.single("swedes")
        assert (refused.status, refused.error) == (404, "FLAG_NOT_FOUND")
        assert "segment" in refused.document["errorDetails"]


async def test_null_is_left_out_so_that_the_application_uses_its_own_default() -> None:
    async with reading() as (it, reader):
        it.live(snapshot_of(1, {"nothing": None}))
        document = (await reader.single("nothing")).document
        assert "value" not in document
        assert (document["reason"], document["variant"]) == ("DEFAULT", "value")
        assert (await reader.bulk()).flag("nothing") == document


@pytest.mark.parametrize(
    ("document", "kind", "rollout", "expected"),
    [
        (1, "value", None, "1"),
        (1.0, "value", None, "1.0"),
        (0.25, "value", None, "0.25"),
        ({"variants": {"a": 1, "b": 0.5}, "default": "a"}, "flag", None, "1.0"),
        ({"variants": {"a": -7, "b": 0.5}, "default": "a"}, "flag", None, "-7.0"),
        ({"variants": {"a": 1, "b": 2}, "default": "a"}, "flag", None, "1"),
        ({"variants": {"a": True, "b": 0.5}, "default": "a"}, "flag", None, "true"),
        ({"variants": {"a": {"x": 1}, "b": 0.5}, "default": "a"}, "flag", None, '{"x":1}'),
        (2, "value", exposure((0, 0), candidate=2.5), "2.0"),
        (2, "value", exposure((0, 0), candidate=3), "2"),
        (2, "value", exposure((0, 100_000), candidate=3.0), "3.0"),
    ],
)
async def test_a_number_has_a_decimal_point_where_its_config_may_yield_a_float(
    document: Json, kind: str, rollout: Json, expected: str
) -> None:
    async with reading() as (it, reader):
        seeing(it, entry("n", document, kind, rollout))
        assert f'"value":{expected},' in (await reader.single("n", {"targetingKey": "ada"})).text
        assert f'"value":{expected},' in (await reader.bulk({"targetingKey": "ada"})).text


async def test_the_type_of_numbers_follows_the_change_that_made_one_a_float() -> None:
    async with reading() as (it, reader):
        seeing(it, entry("n", 2, rollout=exposure((0, 0), candidate=3)))
        assert '"value":2,' in (await reader.single("n")).text
        seeing(it, entry("n", 2, rollout=exposure((0, 0), candidate=3.5)))
        assert '"value":2.0,' in (await reader.single("n")).text


@pytest.mark.parametrize("body", [None, b"", b"{}", b'{"context":{}}', b'{"context":null}', b'{"context":{},"more":1}'])
async def test_a_context_may_be_missing_or_empty(body: bytes | None) -> None:
    async with reading() as (it, reader):
        seeing(it, entry("f", FLAG, "flag"))
        assert (await reader.send("/f", body)).document["value"] is False
        assert (await reader.send("", body)).flag("f")["value"] is False


async def test_structures_in_a_context_are_passed_over() -> None:
    async with reading() as (it, reader):
        seeing(it, entry("f", FLAG, "flag"))
        context = {"country": "SE", "user": {"plan": "pro"}, "list": [{"a": 1}], "none": None, "nested": [["a"]]}
        assert (await reader.single("f", context)).document["value"] is True


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "PARSE_ERROR"),
        (b"[]", "PARSE_ERROR"),
        (b"\xff", "PARSE_ERROR"),
        (b'"context"', "PARSE_ERROR"),
        (b'{"context":[]}', "INVALID_CONTEXT"),
        (b'{"context":"ada"}', "INVALID_CONTEXT"),
        (b'{"context":{"targetingKey":1}}', "INVALID_CONTEXT"),
        (b'{"context":{"groups":[1]}}', "INVALID_CONTEXT"),
        (b'{"context":{"":1}}', "INVALID_CONTEXT"),
        (encode({"context": {"name": "x" * 2_000}}), "INVALID_CONTEXT"),
        (encode({"context": {f"a{index}": 1 for index in range(200)}}), "INVALID_CONTEXT"),
    ],
)
async def test_what_cannot_be_read_is_told_with_its_error_code(body: bytes, code: str) -> None:
    async with reading() as (it, reader):
        it.live(snapshot_of(1, VALUES))
        single, bulk = await reader.send("/web.on", body), await reader.send("", body)
        assert (single.status, single.error, single.document["key"]) == (400, code, "web.on")
        assert (bulk.status, bulk.error) == (400, code)


@pytest.mark.parametrize(
    "key", ["a/b", "a/b?c%20d", "web.o", "%00", "a%2Fb", "%E2%82%AC", "x" * 1000, "..%2F..", "%ff"]
)
async def test_a_key_that_there_is_not_is_not_found_however_a_client_spells_it(key: str) -> None:
    async with reading() as (it, reader):
        it.live(snapshot_of(1, VALUES))
        told = await reader.single(key)
        assert (told.status, told.error) == (404, "FLAG_NOT_FOUND")
        assert len(told.document["key"]) <= 255


async def test_a_key_is_found_encoded_or_not() -> None:
    async with reading() as (it, reader):
        it.live(snapshot_of(1, {"web.on": True, "a_b-c": 1}))
        for key in ("web.on", "web%2Eon", "%77eb.on", "a_b-c", "a%5Fb%2Dc"):
            assert (await reader.single(key)).status == 200


async def test_a_flag_that_goes_by_the_targeting_key_says_when_it_is_missing_and_the_others_do_not_care() -> None:
    async with reading() as (it, reader):
        seeing(it, entry("s", SPLIT, "flag"), entry("f", FLAG, "flag"))
        missing = await reader.single("s", {"country": "SE"})
        assert (missing.status, missing.error) == (400, "TARGETING_KEY_MISSING")
        bulk = await reader.bulk({"country": "SE"})
        assert bulk.flag("s")["errorCode"] == "TARGETING_KEY_MISSING"
        assert bulk.flag("f")["value"] is True
        assert (await reader.single("s", {"targetingKey": "ada"})).document["reason"] == "SPLIT"


async def test_a_rollout_serves_its_baseline_to_who_cannot_be_placed() -> None:
    """Else starting one would take a value away from applications that name nobody."""
    async with reading() as (it, reader):
        seeing(it, entry("k", "old", rollout=exposure((0, 99_999))))
        document = (await reader.single("k")).document
        assert (document["value"], document["variant"], document["reason"]) == ("old", "baseline", "DEFAULT")
        assert document["metadata"]["error"] == "TARGETING_KEY_MISSING"
        document = (await reader.single("k", {"targetingKey": "ada"})).document
        assert (document["value"], document["variant"]) == ("new", "candidate")
        assert document["metadata"]["arm"] == "candidate"


async def test_a_flag_of_a_newer_version_fails_alone() -> None:
    async with reading() as (it, reader):
        seeing(it, entry("odd", {"variants": 1}, "flag"), entry("new", 1, "a-new-kind"), entry("v", 1))
        for key in ("odd", "new"):
            told = await reader.single(key)
            assert (told.status, told.error) == (400, "PARSE_ERROR")
        bulk = await reader.bulk()
        assert (bulk.status, bulk.flag("odd")["errorCode"], bulk.flag("v")["value"]) == (200, "PARSE_ERROR", 1)


async def test_a_flag_that_is_off_is_disabled_and_a_rule_that_leads_nowhere_serves_the_default() -> None:
    nowhere = FLAG | {"rules": [{"when": {"segment": "none"}, "serve": "on"}]}
    async with reading() as (it, reader):
        seeing(it, entry("off", FLAG | {"on": False}, "flag"), entry("nowhere", nowhere, "flag"))
        document = (await reader.single("off", {"country": "SE"})).document
        assert (document["value"], document["variant"], document["reason"]) == (False, "off", "DISABLED")
        document = (await reader.single("nowhere")).document
        assert (document["value"], document["reason"], document["metadata"]["error"]) == (False, "DEFAULT", "GENERAL")


async def test_before_the_first_snapshot_clients_are_told_to_come_again() -> None:
    async with reading() as (_, reader):
        single, bulk = await reader.single("web.on"), await reader.bulk()
        assert (single.status, single.error, bulk.status, bulk.error) == (503, "PROVIDER_NOT_READY") * 2
        assert single.headers["Retry-After"] == "1"


async def test_what_may_be_old_says_so() -> None:
    async with reading(policy=Policy(max_staleness=60.0)) as (it, reader):
        it.store.swap(snapshot_of(1, VALUES))
        assert (await reader.single("web.on")).document["reason"] == "STALE"
        stale = await reader.bulk()
        assert stale.flag("web.on")["reason"] == "STALE"
        it.live(it.store.current)
        assert (await reader.single("web.on")).document["reason"] == "STATIC"
        fresh = await reader.bulk(If_None_Match=stale.etag)
        assert (fresh.status, fresh.flag("web.on")["reason"]) == (200, "STATIC")


async def test_a_body_that_is_too_large_or_no_json_is_refused_in_json() -> None:
    async with reading() as (it, reader):
        it.live(snapshot_of(1, VALUES))
        body = b" " * (MAX_BODY + 1)
        for at, key in (("/web.on", "web.on"), ("", None)):
            large, other = await reader.send(at, body), await reader.send(at, b"{}", Content_Type="text/plain")
            assert (large.status, large.document.get("key")) == (413, key)
            assert (other.status, other.document.get("key")) == (415, key)
        for media in ("application/json; charset=utf-8", "application/vnd.x+json", "APPLICATION/JSON"):
            assert (await reader.send("/web.on", b"{}", Content_Type=media)).status == 200


async def test_an_etag_stands_for_the_revision_and_the_context() -> None:
    """A peer's stands for the revision only: who changed the context was told that nothing had changed."""
    async with reading() as (it, reader):
        seeing(it, entry("f", FLAG, "flag"), entry("v", 1))
        context = {"targetingKey": "ada", "country": "NO"}
        first = await reader.bulk(context)
        again = await reader.bulk(context, If_None_Match=first.etag)
        assert (again.status, again.etag) == (304, first.etag)
        assert (await reader.bulk(context, If_None_Match=f'W/{first.etag}, "x"')).status == 304
        assert (await reader.bulk(context, If_None_Match="*")).status == 200
        for changed in (
            context | {"country": "SE"}, context | {"targetingKey": "bob"}, {"country": "NO"}, {}, context | {"more": 1},
        ):  # fmt: skip
            told = await reader.bulk(changed, If_None_Match=first.etag)
            assert (told.status, told.etag != first.etag) == (200, True), changed
        swapped = dict(reversed(context.items()))
        assert (await reader.bulk(swapped, If_None_Match=first.etag)).status == 304
        seeing(it, entry("f", FLAG, "flag"), entry("v", 1))
        assert (await reader.bulk(context, If_None_Match=first.etag)).status == 200, "another revision"


async def test_an_etag_is_another_one_once_the_clock_has_changed_an_answer() -> None:
    clock = ManualClock()
    clock.set(START)
    begin = unix_ms(START + timedelta(seconds=60))
    async with reading(clock=clock) as (it, reader):
        seeing(it, entry("k", "old", rollout=exposure((begin, 100_000))))
        context = {"targetingKey": "ada"}
        before = await reader.bulk(context)
        clock.advance(59.9)
        assert (await reader.bulk(context, If_None_Match=before.etag)).status == 304
        assert (await reader.single("k", context)).document["value"] == "old"
        clock.advance(0.2)
        after = await reader.bulk(context, If_None_Match=before.etag)
        assert (after.status, after.flag("k")["value"]) == (200, "new")
        assert (await reader.single("k", context)).document["value"] == "new"
        clock.advance(-1)
        assert (await reader.bulk(context)).flag("k")["value"] == "old"


async def test_an_etag_outlives_the_agent() -> None:
    tags = []
    for _ in range(2):
        async with reading() as (it, reader):
            reader.headers["Host"] = "localhost:2772"
            it.live(snapshot_of(3, VALUES))
            tags.append((await reader.bulk({"targetingKey": "ada"})).etag)
    assert tags[0] == tags[1]


@pytest.mark.parametrize(
    ("query", "context", "keys"),
    [
        ("?flags=web.on,db.pool", {}, ["web.on", "db.pool"]),
        ("?flags=web.on&flags=db.pool&flags=web.on", {}, ["web.on", "db.pool"]),
        ("?prefix=db.", {}, ["db.pool"]),
        ("?prefix=none.", {}, []),
        ("?prefix=db.&flags=web.on", {}, ["web.on", "db.pool"]),
        ("", {"flags": ["web.on", "db.pool"]}, ["web.on", "db.pool"]),
        ("", {"flags": "an attribute like any other"}, sorted(VALUES)),
        ("?flags=", {}, sorted(VALUES)),
        ("?flagConfigEtag=%22x%22&flagConfigLastModified=1771622898", {}, sorted(VALUES)),
        ("?flagConfigEtag=&flagConfigLastModified=yesterday&other=1", {}, sorted(VALUES)),
    ],
)
async def test_a_bulk_may_be_of_some_flags(query: str, context: Json, keys: list[str]) -> None:
    async with reading() as (it, reader):
        it.live(snapshot_of(1, VALUES))
        told = await reader.bulk(context, query)
        assert told.keys == keys
        assert (await reader.bulk(context, query, If_None_Match=told.etag)).status == 304


async def test_a_flag_that_is_asked_for_and_not_there_fails_alone_and_too_many_are_refused() -> None:
    async with reading() as (it, reader):
        it.live(snapshot_of(1, VALUES))
        told = await reader.bulk(query="?flags=none,web.on,a%2Fb")
        assert told.flag("none")["errorCode"] == told.flag("a/b")["errorCode"] == "FLAG_NOT_FOUND"
        assert told.flag("web.on")["value"] is True
        many = await reader.bulk(query=f"?flags={','.join(f'f{index}' for index in range(MAX_FLAGS + 1))}")
        assert (many.status, many.error) == (400, "GENERAL")
        assert (await reader.bulk(query="?" + "&".join("a=1" for _ in range(1_100)))).status == 400


async def test_one_revision_answers_a_bulk_and_a_flag_that_is_gone_is_gone() -> None:
    async with reading() as (it, reader):
        first = snapshot_of(1, VALUES)
        it.live(first)
        before = await reader.bulk()
        it.live(with_values(first, 2, {"web.on": False, "web.size": 4}, removed=["db.pool"]))
        after = await reader.bulk(If_None_Match=before.etag)
        assert (after.status, after.document["metadata"]["revision"]) == (200, 2)
        assert (after.flag("web.on")["value"], after.flag("web.size")["value"]) == (False, 4)
        assert "db.pool" not in after.keys
        assert (await reader.single("db.pool")).status == 404


SECRET = {"db.password": "hunter2"}


@pytest.mark.parametrize("name", ["Authorization", "X-API-Key", "x-api-key"])
async def test_sensitive_values_are_for_who_shows_the_token_either_way(name: str) -> None:
    right, wrong = ((f"Bearer {each}" if name == "Authorization" else each) for each in (TOKEN, "wrong"))
    async with reading(TOKEN) as (it, reader):
        sensitive(it, **SECRET)
        missing = await reader.single("db.password")
        assert (missing.status, missing.headers["WWW-Authenticate"]) == (401, 'Bearer realm="trimtab"')
        assert (await reader.single("db.password", **{name: wrong})).status == 401
        assert (await reader.bulk(**{name: wrong})).status == 401
        shown = await reader.single("db.password", **{name: right})
        assert shown.document["value"] == "hunter2"
        hidden, full = await reader.bulk(), await reader.bulk(**{name: right})
        assert "hunter2" not in hidden.text
        assert hidden.flag("db.password")["errorCode"] == "GENERAL"
        assert full.flag("db.password")["value"] == "hunter2"
        assert (await reader.bulk(If_None_Match=full.etag)).status == 200
        assert (await reader.bulk(If_None_Match=hidden.etag, **{name: right})).status == 200
        proxied = await reader.single("db.password", **{name: right}, X_Forwarded_For="10.0.0.1")
        assert proxied.status == 403
        assert "hunter2" not in (await reader.bulk(**{name: right}, Via="1.1 proxy")).text


async def test_without_a_token_sensitive_values_are_forbidden_and_everything_else_is_not() -> None:
    async with reading() as (it, reader):
        sensitive(it, **SECRET)
        told = await reader.single("db.password", X_API_Key="any")
        assert (told.status, "TRIMTAB_AGENT_LOCAL_TOKEN_FILE" in told.document["errorDetails"]) == (403, True)
        assert "hunter2" not in (await reader.bulk()).text


async def test_a_socket_serves_sensitive_values_and_its_streams_stand_below_it(tmp_path: Path) -> None:
    async with reading(listen=Listen(path=tmp_path / "agent.sock")) as (it, reader):
        sensitive(it, **SECRET)
        assert (await reader.single("db.password")).document["value"] == "hunter2"
        bulk = await reader.bulk()
        assert bulk.flag("db.password")["value"] == "hunter2"
        assert bulk.document["eventStreams"][0]["endpoint"]["requestUri"].startswith("/ofrep/v1/sse?")


async def test_nobody_speaks_for_the_agent() -> None:
    rules = FLAG | {"rules": [{"when": {"attribute": "agent.instance", "op": "eq", "values": ["one"]}, "serve": "on"}]}
    async with reading() as (it, reader):
        it.own["agent.instance"] = "one"
        seeing(it, entry("f", rules, "flag"))
        for context in ({}, {"agent.instance": "two"}):
            assert (await reader.single("f", context)).document["value"] is True


async def test_reads_and_reasons_are_counted() -> None:
    async with reading() as (it, reader):
        seeing(it, entry("f", FLAG, "flag"), entry("v", 1))
        it.usage.reasons.clear()
        await reader.single("v")
        await reader.single("none")
        first = await reader.bulk()
        await reader.bulk(If_None_Match=first.etag)
        counted = it.usage.take()
        assert (counted.keys, counted.bulk) == ({"v": 1}, 2)
        assert dict(it.usage.reasons) == {"STATIC": 3, "ERROR": 1, "DEFAULT": 2}
        metrics = (await it.get("/metrics"))[1].decode()
        assert "/ofrep/v1/evaluate/flags/{key}" in metrics


async def test_another_method_is_told_the_right_one() -> None:
    async with agent() as it:
        it.live(snapshot_of(1, VALUES))
        for path in ("/ofrep/v1/evaluate/flags", "/ofrep/v1/evaluate/flags/web.on"):
            status, _, answer = await it.get(path)
            assert (status, answer.headers["Allow"]) == (405, "POST")

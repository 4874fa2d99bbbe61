"""Which configs applications read and which nobody does, over HTTP."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from control_plane.embedded.memory import MemoryReadCounters
from shared.domain.codec import decode
from shared.domain.scope import Revisions
from shared.wire.report import ReadCounts, Report
from tests.rig.api import Api, serving_api


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as api:
        for key in ("read", "unread"):
            await api.post("/configs", {"key": key, "value": 1})
        yield api


@pytest.fixture
async def token(api: Api) -> str:
    return await api.register("shop", "prod")


async def _report(api: Api, token: str, reads: ReadCounts | None, instance: str = "i1", members: Any = None) -> None:
    report = Report(instance, "shop", "prod", "1", Revisions(), "live", "sse", reads=reads)
    document = decode(report.encode()) | (members or {})
    if reads is None:
        del document["reads"]
    assert (await api.post("/agents/report", document, token=token)).status == 200


async def _reads(api: Api) -> Any:
    return (await api.get("/apps/shop/environments/prod/reads")).document


async def _unused(api: Api, more: str = "") -> Any:
    return (await api.get(f"/unused?app_id=shop{more}")).document


async def test_reads_of_all_agents_are_added_up(api: Api, token: str) -> None:
    await _report(api, token, ReadCounts({"read": 3}), "i1")
    await _report(api, token, ReadCounts({"read": 4}, bulk=2), "i2")
    document = await _reads(api)
    assert [(each["key"], each["reads"], each["scope"]) for each in document["items"]] == [
        ("read", 7, "global"),
        ("unread", 0, "global"),
    ]
    assert document["items"][0]["last_read_at"] is not None
    assert document["items"][1]["last_read_at"] is None
    coverage = document["coverage"]
    assert (coverage["bulk_reads"], coverage["live_agents"], coverage["agents_without_counts"]) == (2, 2, 0)
    assert coverage["counting_since"] is not None


async def test_what_nobody_reads_is_listed_and_since_when_that_is_known(api: Api, token: str) -> None:
    await _report(api, token, ReadCounts({"read": 3}))
    document = await _unused(api)
    assert [each["key"] for each in document["items"]] == ["unread"]
    (coverage,) = document["environments"]
    assert (coverage["environment"], coverage["complete"]) == ("prod", False)  # counting has just begun
    await _long_ago(api)
    document = await _unused(api)
    assert ([each["key"] for each in document["items"]], document["environments"][0]["complete"]) == (["unread"], True)
    assert [each["key"] for each in (await _unused(api, "&days=20"))["items"]] == ["read", "unread"]


async def test_reads_of_many_at_once_stand_against_it(api: Api, token: str) -> None:
    await _report(api, token, ReadCounts({"read": 3}, bulk=1))
    await _long_ago(api)
    (coverage,) = (await _unused(api))["environments"]
    assert (coverage["bulk_reads"], coverage["complete"]) == (1, False)
    (coverage,) = (await _unused(api, "&days=20"))["environments"]
    assert coverage["complete"]


async def test_agents_that_do_not_count_stand_against_it_and_are_named(api: Api, token: str) -> None:
    await _report(api, token, ReadCounts({"read": 3}))
    await _report(api, token, None, "old")
    await _long_ago(api)
    (coverage,) = (await _unused(api))["environments"]
    assert (coverage["agents_without_counts"], coverage["named"], coverage["complete"]) == (1, ["old"], False)
    agents = (await api.get("/agents")).document["items"]
    assert [(each["instance"], each["counts_reads"]) for each in agents] == [("i1", True), ("old", False)]


async def test_where_nothing_was_counted_nothing_is_claimed(api: Api, token: str) -> None:
    (coverage,) = (await _unused(api))["environments"]
    assert (coverage["counting_since"], coverage["complete"]) == (None, False)
    await _report(api, token, ReadCounts())
    assert (await _reads(api))["coverage"]["counting_since"] is not None


async def test_a_newer_agent_may_say_more(api: Api, token: str) -> None:
    reads = {"keys": {"read": 1}, "bulk": 0, "waiting": 0, "of": "later"}
    await _report(api, token, ReadCounts(), members={"reads": reads, "mood": "good"})
    assert (await _reads(api))["items"][0]["reads"] == 1


async def test_keys_that_are_none_are_not_counted(api: Api, token: str) -> None:
    await _report(api, token, ReadCounts({"read": 1, "no.such.key": 9}))
    assert [each["key"] for each in (await _reads(api))["items"]] == ["read", "unread"]
    counted = await api.services.usage._counters.of("shop", "prod")
    assert list(counted.keys) == ["read"]
    too_many = {"keys": {f"k{number}": 1 for number in range(1_001)}}
    report = decode(Report("i", "shop", "prod", "1", Revisions(), "live", "sse").encode()) | {"reads": too_many}
    assert (await api.post("/agents/report", report, token=token)).status == 422


async def test_several_environments_and_pages(api: Api, token: str) -> None:
    await api.register("shop", "dev")
    await _report(api, token, ReadCounts({"read": 1}))
    document = await _unused(api)
    assert [(each["environment"], each["key"]) for each in document["items"]] == [
        ("dev", "read"),
        ("dev", "unread"),
        ("prod", "unread"),
    ]
    first = await _unused(api, "&limit=2")
    rest = await _unused(api, f"&limit=2&cursor={first['next_cursor']}")
    assert first["items"] + rest["items"] == document["items"]
    only = await _unused(api, "&environment=prod")
    assert [each["environment"] for each in only["environments"]] == ["prod"]


async def test_what_cannot_be_asked_is_said(api: Api, token: str) -> None:
    assert token
    assert (await api.get("/unused")).pointers == ["?app_id"]
    assert (await api.get("/unused?app_id=shop&days=0")).pointers == ["?days"]
    assert (await api.get("/unused?app_id=nope")).status == 404
    assert (await api.get("/unused?app_id=shop&environment=nope")).status == 404
    assert (await api.get("/apps/shop/environments/nope/reads")).status == 404


async def _long_ago(api: Api) -> None:
    """Let all that was counted have been counted 25 days ago, and counting have begun 40 days ago."""
    await _reads(api)
    counters = api.services.usage._counters
    assert isinstance(counters, MemoryReadCounters)
    before = await counters.of("shop", "prod")
    now = api.services.clock.now()
    counters._counted.clear()
    await counters.add("shop", "prod", {}, 0, now - timedelta(days=40))
    keys = {key: each.reads for key, each in before.keys.items()}
    await counters.add("shop", "prod", keys, before.bulk, now - timedelta(days=25))

"""What agents fetch, follow and report over HTTP."""

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import anyio
import pytest

from control_plane.api import watch
from shared.runtime.clock import SystemClock, unix_ms
from shared.wire.messages import ChangeMessage, Heartbeat, Message, decode_message
from shared.wire.snapshot import SnapshotDocument
from shared.wire.sse import read_events
from tests.rig.api import Api, serving_api


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as api:
        yield api


@asynccontextmanager
async def _following(api: Api, token: str) -> AsyncIterator[AsyncIterator[Message]]:
    headers = {"Authorization": f"Bearer {token}"}
    async with api.session.get(f"{api.url}/api/v1/snapshots/shop/prod/watch", headers=headers) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        events = read_events(response.content.iter_any())
        yield (decode_message(event.data) async for event in events)


async def _streams(api: Api, count: int) -> None:
    """Wait until this many streams are open."""
    with anyio.fail_after(10):
        while api.services.metrics.registry.get_sample_value("trimtab_sse_streams") != count:
            await anyio.sleep(0.01)


async def test_a_snapshot_is_fetched_whole_then_as_a_delta(api: Api) -> None:
    token = await api.register()
    await api.post("/configs", {"key": "a", "value": 1})
    whole = await api.get("/snapshots/shop/prod", token=token)
    assert SnapshotDocument.decode(whole.body).full
    await api.post("/configs", {"app_id": "shop", "key": "b", "value": 2})
    delta = SnapshotDocument.decode((await api.get("/snapshots/shop/prod?since=1,0,0&at_least=2", token=token)).body)
    assert (delta.full, [item.key for item in delta.items]) == (False, ["b"])


async def test_a_snapshot_that_the_agent_has_is_not_sent_again(api: Api) -> None:
    token = await api.register()
    tag = (await api.get("/snapshots/shop/prod", token=token)).headers["ETag"]
    same = await api.get("/snapshots/shop/prod", token=token, headers={"If-None-Match": tag})
    assert (same.status, same.body, same.headers["ETag"]) == (304, b"", tag)
    await api.post("/configs", {"key": "a", "value": 1})
    assert (await api.get("/snapshots/shop/prod", token=token, headers={"If-None-Match": tag})).status == 200


async def test_a_large_snapshot_is_compressed_for_whoever_takes_it(api: Api) -> None:
    token = await api.register()
    await api.post("/configs", {"key": "a", "value": "x" * 10_000})
    bodies = {}
    for accepted in ("gzip", "identity"):
        headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": accepted}
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.get(f"{api.url}/api/v1/snapshots/shop/prod", headers=headers) as response,
        ):
            bodies[response.headers.get("Content-Encoding")] = await response.read()
    assert gzip.decompress(bodies["gzip"]) == bodies[None]


async def test_what_an_agent_has_must_be_three_revisions(api: Api) -> None:
    await api.register()
    for query in (
        "since=1",
        "since=1,2",
        "since=a,b,c",
        "since=-1,0,0",
        "since=1,2,99999999999999999999",
        "at_least=-1",
    ):
        answer = await api.get(f"/snapshots/shop/prod?{query}")
        assert (answer.status, answer.pointers) == (422, [f"?{query.partition('=')[0]}"])


async def test_a_stream_begins_with_a_heartbeat_and_tells_each_change(api: Api) -> None:
    token = await api.register()
    await api.post("/configs", {"key": "a", "value": 1})
    with anyio.fail_after(10):
        async with _following(api, token) as messages:
            first = await anext(messages)
            assert isinstance(first, Heartbeat)
            assert (first.revision, first.global_.revision) == (1, 1)
            await api.post("/configs", {"app_id": "shop", "key": "b", "value": "hunter2", "sensitive": True})
            await api.post("/configs", {"app_id": "shop", "environment": "prod", "key": "c", "value": 3})
            second, third = await anext(messages), await anext(messages)
    assert isinstance(second, ChangeMessage)
    assert isinstance(third, ChangeMessage)
    assert (second.revision, second.withholds_values, third.revision) == (2, True, 3)


async def test_a_stream_ends_when_its_token_is_revoked(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "CHECK_INTERVAL", 0.05)
    token = await api.register()
    tokens = "/apps/shop/environments/prod/agent-tokens"
    token_id = (await api.get(tokens)).document["items"][0]["id"]
    with anyio.fail_after(10):
        async with _following(api, token) as messages:
            await anext(messages)
            await api.delete(f"{tokens}/{token_id}")
            assert [each async for each in messages if isinstance(each, ChangeMessage)] == []


async def test_a_stream_ends_when_its_reader_goes(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "CHECK_INTERVAL", 0.05)
    token = await api.register()
    async with _following(api, token) as messages:
        await anext(messages)
        await _streams(api, 1)
    await _streams(api, 0)


async def test_a_reader_that_is_too_slow_is_dropped_and_counted(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "MAX_BUFFERED", 100_000)
    token = await api.register()
    body: dict[str, Any] = {"value": "x" * 250_000}
    made = await api.post("/configs", {"app_id": "shop", "key": "big", **body})
    reader = await anyio.connect_tcp("127.0.0.1", int(api.url.rpartition(":")[2]))
    async with reader:
        await reader.send(
            b"GET /api/v1/snapshots/shop/prod/watch HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n"
            % token.encode()
        )
        await _streams(api, 1)
        with anyio.fail_after(30):
            while api.services.metrics.registry.get_sample_value("trimtab_sse_streams_dropped_total") == 0:
                updated = await api.put(f"/configs/{made.document['id']}", body, headers={"If-Match": "*"})
                assert updated.status == 200
        await _streams(api, 0)


async def test_streams_end_when_the_server_stops(migrated_url: str) -> None:
    with anyio.fail_after(10):
        async with aiohttp.ClientSession() as outside:
            async with serving_api(migrated_url) as api:
                headers = {"Authorization": f"Bearer {await api.register()}"}
                response = await outside.get(f"{api.url}/api/v1/snapshots/shop/prod/watch", headers=headers)
                events = read_events(response.content.iter_any())
                await anext(events)
                began = anyio.current_time()
            assert anyio.current_time() - began < 1.5
            assert [each async for each in events if each.event == "change"] == []


def _report(**more: Any) -> dict[str, Any]:
    return {
        "instance": "i-1",
        "app_id": "shop",
        "environment": "prod",
        "agent_version": "1.0",
        "revisions": {"global": 0, "app": 1, "environment": 0},
        "revision": 1,
        "state": "live",
        "transport": "sse",
        "labels": {"zone": "a"},
        "rejection": None,
    } | more


async def test_the_fleet_is_seen_by_its_reports(api: Api) -> None:
    token = await api.register()
    await api.post("/configs", {"app_id": "shop", "key": "a", "value": 1})
    answer = await api.post("/agents/report", _report(a_new_member=1), token=token)
    assert answer.document["next_report_in"] > 0
    await api.post(
        "/agents/report", _report(instance="i-2", revisions={"global": 0, "app": 0, "environment": 0}), token=token
    )
    refusing = {"revision": 1, "reason": "cannot"}
    behind = {"global": 0, "app": 0, "environment": 0}
    await api.post("/agents/report", _report(instance="i-3", revisions=behind, rejection=refusing), token=token)
    agents = (await api.get("/agents?app_id=shop&environment=prod&limit=2")).document
    assert [(each["instance"], each["revision"]) for each in agents["items"]] == [("i-1", 1), ("i-2", 0)]
    rest = (await api.get(f"/agents?app_id=shop&environment=prod&cursor={agents['next_cursor']}")).document
    assert [(each["instance"], each["rejection"]) for each in rest["items"]] == [("i-3", refusing)]
    seen = (await api.get("/changes/1/convergence")).document
    assert (seen["converged"], seen["agents"], seen["applied"]) == (False, 3, 1)
    assert [each["instance"] for each in seen["pending"]] == ["i-2"]
    assert [each["instance"] for each in seen["rejected"]] == ["i-3"]


async def test_the_fleet_shows_whose_clock_is_off_and_who_does_not_understand_what(api: Api) -> None:
    token = await api.register()
    await api.post("/configs", {"app_id": "shop", "key": "a", "value": 1})
    skew, unsupported = {"seconds": -35.2, "uncertainty": 0.1}, {"key": "a", "revision": 1, "reason": "kind"}
    before = unix_ms(SystemClock().now())
    answer = await api.post("/agents/report", _report(clock_skew=skew, unsupported=[unsupported]), token=token)
    assert before <= answer.document["now_ms"] <= unix_ms(SystemClock().now())
    remark = {"kind": "file", "about": "web", "detail": "its check said no", "refuses": True, "revision": 1}
    second = _report(
        instance="i-2", clock_skew={"seconds": 3, "uncertainty": 2.5}, remarks=[remark | {"since_ms": 1_000}]
    )
    await api.post("/agents/report", second, token=token)
    await api.post("/agents/report", _report(instance="i-3"), token=token)
    shown = (await api.get("/agents?app_id=shop")).document["items"]
    assert [each["clock_skew"] for each in shown] == [
        skew | {"suspicious": True},
        {"seconds": 3, "uncertainty": 2.5, "suspicious": False},
        None,
    ]
    assert [each["unsupported"] for each in shown] == [[unsupported], [], []]
    assert [each["remarks"] for each in shown] == [[], [remark | {"since": "1970-01-01T00:00:01+00:00"}], []]
    seen = (await api.get("/changes/1/convergence")).document
    assert (seen["agents"], seen["applied"], [each["instance"] for each in seen["rejected"]]) == (3, 1, ["i-1", "i-2"])


async def test_a_report_that_is_not_one_is_pointed_at(api: Api) -> None:
    token = await api.register()
    for more, pointer in (
        ({"instance": ""}, "/instance"),
        ({"clock_skew": {"seconds": 1, "uncertainty": -1}}, "/clock_skew/uncertainty"),
        ({"unsupported": [{"key": "a b", "revision": 1, "reason": ""}]}, "/unsupported/0/key"),
        ({"unsupported": [{"key": "a", "revision": 1, "reason": ""}] * 101}, "/unsupported"),
        ({"remarks": [{"kind": "file", "about": "", "detail": "", "since_ms": -1}]}, "/remarks/0/since_ms"),
        ({"instance": "x" * 1_001}, "/instance"),
        ({"revisions": {"global": 0, "app": -1, "environment": 0}}, "/revisions/app"),
        ({"revisions": {"global": 0, "app": 1}}, "/revisions/environment"),
        ({"labels": {"a": 1}}, "/labels/a"),
        ({"labels": {str(i): "x" for i in range(33)}}, "/labels"),
        ({"state": "\0"}, "/state"),
        ({"rejection": {}}, "/rejection/revision"),
    ):
        answer = await api.post("/agents/report", _report(**more), token=token)
        assert (answer.status, answer.pointers[0]) == (422, pointer)

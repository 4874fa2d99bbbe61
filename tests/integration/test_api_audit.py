"""The audit records over HTTP: what is recorded, and how it is found."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from control_plane.domain.access.role import Role
from control_plane.domain.attribution import Attribution
from control_plane.postgres import audit as audit_log
from tests.rig.api import Api, serving_api


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as api:
        yield api


async def _put(api: Api, key: str, value: Any, **more: Any) -> int:
    operation = {"op": "put", "key": key, "value": value, "app_id": "shop", "environment": "prod", **more}
    answer = await api.post("/changes", {"operations": [operation], "message": f"{key} it is"})
    return int(answer.document["revision"])


async def _found(api: Api, query: str) -> list[Any]:
    answer = await api.get(f"/audit?{query}")
    assert answer.status == 200, answer.document
    assert answer.document["next_cursor"] is None
    return list(answer.document["items"])


async def test_a_record_says_who_did_what_to_what_and_how_it_was_before(api: Api) -> None:
    await api.register()
    await _put(api, "a", 1)
    sent = {"User-Agent": "trimtab-cli/1", "X-Request-Id": "req-7"}
    operation = {"op": "put", "key": "a", "value": 2, "app_id": "shop", "environment": "prod"}
    await api.post("/changes", {"operations": [operation], "message": "two"}, headers=sent)
    (newest, *_) = (await api.get("/audit")).document["items"]
    expected = {
        "actor": "operator",
        "role": "operator",
        "address": "127.0.0.1",
        "user_agent": "trimtab-cli/1",
        "request_id": "req-7",
        "source": "cli",
        "action": "change.committed",
        "outcome": "done",
        "revision": 2,
    }
    assert {name: newest[name] for name in expected} == expected
    (done,) = newest["detail"]["operations"]
    assert (done["before"]["value"], done["after"]["value"]) == (1, 2)
    assert (await api.get(f"/audit/{newest['seq']}")).document == newest
    for seq in ("0", "999999", "99999999999999999999", "x"):
        assert (await api.get(f"/audit/{seq}")).status == 404


async def test_a_secret_is_in_no_record_and_its_change_shows_all_the_same(api: Api) -> None:
    await api.register()
    for value in ("hunter2", "hunter3"):
        await _put(api, "password", value, sensitive=True)
    answer = await api.get("/audit?key=password")
    assert b"hunter" not in answer.body
    (done,) = answer.document["items"][0]["detail"]["operations"]
    assert done["before"]["digest"] != done["after"]["digest"]


async def test_records_are_found_by_each_thing_that_they_say(api: Api) -> None:
    await api.register()
    await api.register("other", "dev")
    await _put(api, "a", 1)
    revision = await _put(api, "b", 2)
    await _put(api, "b", 3, app_id="other", environment="dev")
    await _put(api, "a", 4, app_id=None, environment=None)
    await api.key("vera", Role.VIEWER)
    newest = (await _found(api, f"revision={revision}"))[0]
    counts = {
        "action=change.": 4,
        "action=change.committed&app_id=shop": 2,
        "app_id=shop": 5,
        "app_id=shop&environment=prod": 4,
        "app_id=other": 4,
        "key=b": 2,
        "key=b&app_id=shop": 1,
        "key=a&app_id=shop&environment=prod": 1,
        f"revision={revision}": 1,
        f"object={newest['object']}": 1,
        "object=app.shop": 1,
        "object=change:00000000-0000-0000-0000-000000000000": 0,
        "object=change:x": 0,
        f"request_id={newest['request_id']}": 1,
        "source=system": 1,
        "outcome=denied": 0,
        "actor=nobody": 0,
        "action=api-key.created": 1,
        "since=2999-01-01T00:00:00Z": 0,
        "until=2000-01-01T00:00:00Z": 0,
        "since=2000-01-01T00:00:00%2B02:00&until=2999-01-01T00:00:00Z&action=app.": 2,
        f"until={newest['at'].replace('+', '%2B')}&action=change.": 1,
    }
    for query, count in counts.items():
        assert len(await _found(api, query)) == count, query
    assert all(each["actor"] == "operator" for each in await _found(api, "actor=operator&source=api"))


async def test_a_filter_that_nothing_can_match_is_told(api: Api) -> None:
    for query, pointer in (
        ("environment=prod", "?environment"),
        ("since=yesterday", "?since"),
        ("since=2026-01-01T00:00:00", "?since"),
        ("outcome=perhaps", "?outcome"),
        ("revision=-1", "?revision"),
        ("nope=1", "?nope"),
    ):
        answer = await api.get(f"/audit?{query}")
        assert (answer.status, answer.pointers) == (422, [pointer]), query


async def test_pages_go_back_to_the_first_record_also_where_each_is_a_bounded_look(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(25):
        await api.services.audit.record(Attribution("alice"), "thing.seen", f"thing:{number}", {"number": number})
    everything = (await api.get("/audit")).document["items"]
    monkeypatch.setattr(audit_log, "WINDOW", 4)
    for query, expected in (("limit=3", everything), ("limit=2&outcome=denied", []), ("limit=50", everything)):
        items, cursor, pages = [], "", 0
        while cursor is not None:
            page = (await api.get(f"/audit?{query}{cursor and f'&cursor={cursor}'}")).document
            items += page["items"]
            cursor = page["next_cursor"]
            pages += 1
        assert items == expected
        assert pages >= 6


async def test_a_page_of_very_large_records_is_cut(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_log, "PAGE_BYTES", 100)
    for number in range(3):
        await api.services.audit.record(Attribution("alice"), "thing.seen", "thing", {"text": f"{number}" * 300})
    page = (await api.get("/audit?limit=3")).document
    assert 1 <= len(page["items"]) < 3
    rest = (await api.get(f"/audit?limit=3&cursor={page['next_cursor']}")).document
    assert rest["items"][0]["seq"] == page["items"][-1]["seq"] - 1


async def test_auditors_may_read_it_and_others_may_not(api: Api) -> None:
    assert (await api.get("/audit", token=await api.key("anna", Role.AUDITOR))).status == 200
    assert (await api.get("/audit", token=await api.key("vera", Role.VIEWER))).status == 403

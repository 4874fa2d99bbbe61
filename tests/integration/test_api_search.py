"""Searching in configs of all applications, over HTTP."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import pytest

from control_plane.domain.search import Search
from control_plane.postgres.reads import Reads
from control_plane.postgres.search import PostgresSearch
from tests.rig.api import Api, serving_api
from tests.store import OLGA, PROD, Store, billing_store, put


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as api:
        await api.register("shop", "prod")
        await api.register("mail", "prod")
        yield api


async def _create(api: Api, key: str, value: object, app_id: str | None = "shop", **more: object) -> None:
    environment = "prod" if app_id else None
    made = await api.post(
        "/configs", {"app_id": app_id, "environment": environment, "key": key, "value": value, **more}
    )
    assert made.status == 201, made.body


async def _search(api: Api, q: str, **more: object) -> Any:
    answer = await api.get("/search?" + urlencode({"q": q, **more}))
    assert answer.status == 200, answer.body
    return answer.document


async def _keys(api: Api, q: str, **more: object) -> list[str]:
    return [each["key"] for each in (await _search(api, q, **more))["items"]]


async def test_every_field_is_searched_and_says_what_was_found(api: Api) -> None:
    await _create(api, "db.pool", 20)
    await _create(api, "a", {"url": "http://pool.example"})
    await _create(api, "b", 1, description="How large the Pool is")
    await _create(api, "c", 1, owner="pool-team")
    await _create(api, "d", 1, app_id="mail", labels={"swimming": "pool"})
    await _create(api, "e", "nothing of the kind", app_id=None)
    found = (await _search(api, "pool"))["items"]
    assert [(each["app_id"], each["key"], list(each["matches"])) for each in found] == [
        ("mail", "d", ["label"]),
        ("shop", "a", ["value"]),
        ("shop", "b", ["description"]),
        ("shop", "c", ["owner"]),
        ("shop", "db.pool", ["key"]),
    ]
    assert found[2]["matches"]["description"] == "How large the Pool is"
    assert found[0]["scope"] == "environment"


async def test_all_words_must_be_found_in_upper_or_lower_case(api: Api) -> None:
    await _create(api, "db.pool", 20, description="Größe of the POOL")
    await _create(api, "db.host", "pool")
    assert await _keys(api, "db pool") == ["db.host", "db.pool"]
    assert await _keys(api, "  POOL größe ") == ["db.pool"]
    assert await _keys(api, "pool nowhere") == []


async def test_a_search_is_narrowed_by_field_place_and_kind(api: Api) -> None:
    await _create(api, "timeout", 1)
    await _create(api, "b", "timeout")
    await _create(api, "timeout", 1, app_id="mail")
    await api.post("/changes", {"operations": [{"op": "mask", "app_id": "shop", "key": "timeout.masked"}]})
    assert await _keys(api, "timeout", **{"in": "key"}) == ["timeout", "timeout.masked", "timeout"]
    assert await _keys(api, "timeout", **{"in": "value,owner"}) == ["b"]
    assert await _keys(api, "timeout", app_id="shop", kind="value") == ["b", "timeout"]
    assert await _keys(api, "timeout", kind="mask") == ["timeout.masked"]
    assert await _keys(api, "timeout", app_id="mail", environment="dev") == []


async def test_a_secret_is_never_searched(api: Api) -> None:
    await _create(api, "password", "hunter2", sensitive=True, description="of the database")
    assert await _keys(api, "hunter2") == []
    assert await _keys(api, "hunter2 database") == []
    found = (await _search(api, "database"))["items"][0]
    assert (found["sensitive"], found["matches"]) == (True, {"description": "of the database"})
    await api.put(f"/configs/{found['id']}", {"value": "hunter3", "owner": "hunters"}, headers={"If-Match": "*"})
    assert (await _search(api, "hunter"))["items"][0]["matches"] == {"owner": "hunters"}


async def test_signs_of_patterns_are_signs(api: Api) -> None:
    await _create(api, "a", "100%")
    await _create(api, "b_c", "back\\slash")
    await _create(api, "bxc", "1000")
    assert await _keys(api, "0%") == ["a"]
    assert await _keys(api, "b_c") == ["b_c"]
    assert await _keys(api, "back\\") == ["b_c"]


async def test_what_is_shown_of_a_long_text_is_short(api: Api) -> None:
    await _create(api, "a", "x" * 5_000 + " needle " + "y" * 5_000)
    around = (await _search(api, "needle"))["items"][0]["matches"]["value"]
    assert len(around) <= 122
    assert around.startswith("…x")
    assert "needle" in around
    assert around.endswith("y…")


async def test_deleted_configs_are_not_found_and_archived_ones_only_if_asked_for(api: Api) -> None:
    await _create(api, "gone", 1)
    await _create(api, "kept", "gone away", app_id="mail")
    found = (await _search(api, "gone", app_id="shop"))["items"][0]
    await api.delete(f"/configs/{found['id']}", headers={"If-Match": "*"})
    assert await _keys(api, "gone") == ["kept"]
    await api.post("/apps/mail/environments/prod/archive", {"confirm": "mail/prod"})
    assert await _keys(api, "gone") == []
    assert await _keys(api, "gone", include_archived="true") == ["kept"]
    await api.post("/apps/mail/environments/prod/unarchive", None)
    await api.post("/apps/mail/archive", {"confirm": "mail"})
    assert await _keys(api, "gone") == []


async def test_pages_hold_every_config_once(api: Api) -> None:
    for number in range(7):
        await _create(api, f"k{number}", "same")
    keys, cursor = [], ""
    while True:
        page = await _search(api, "same", limit=3, **({"cursor": cursor} if cursor else {}))
        keys += [each["key"] for each in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert keys == [f"k{number}" for number in range(7)]


async def test_what_cannot_be_searched_for_is_pointed_at(api: Api) -> None:
    for query, pointer in (
        ("", "?q"),
        ("q=", "?q"),
        ("q=%20", "?q"),
        ("q=" + "+".join("abcdefghijk"), "?q"),
        ("q=" + "a" * 501, "?q"),
        ("q=%00", "?q"),
        ("q=a&in=key,secret", "?in"),
        ("q=a&kind=flag2", "?kind"),
        ("q=a&cursor=x", "?cursor"),
    ):
        answer = await api.get(f"/search?{query}")
        assert (answer.status, answer.pointers) == (422, [pointer]), query


async def test_one_turn_reads_so_many_entries_and_the_next_goes_on(migrated_url: str) -> None:
    async with billing_store(migrated_url) as store:
        await _fill(store)
        searching = PostgresSearch(Reads(store.pool), entries_a_turn=30)
        search = Search(words=("needle",))
        turns, keys, cursor = 0, [], None
        while True:
            page = await searching.search(search, limit=100, cursor=cursor)
            turns, keys, cursor = turns + 1, keys + [each.key for each in page.items], page.next_cursor
            if cursor is None:
                break
        assert (turns, keys) == (4, ["k005", "k095"])


async def _fill(store: Store) -> None:
    await store.commit(
        *(put(PROD, f"k{number:03}", "needle" if number in {5, 95} else "hay") for number in range(100)), by=OLGA
    )

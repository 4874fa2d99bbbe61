"""API keys over their life: from where they may be used, that they were, and secrets that are changed meanwhile."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from control_plane.domain.access.token import token_hash
from tests.rig.api import Api, serving_api

pytestmark = pytest.mark.integration


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as opened:
        yield opened


async def made(api: Api, **more: Any) -> Any:
    answer = await api.post("/api-keys", {"name": "ci", "role": "viewer", **more})
    assert answer.status == 201, answer.body
    return answer.document


async def works(api: Api, token: str) -> bool:
    return (await api.get("/apps", token=token)).status == 200


async def test_a_secret_is_changed_without_an_interruption(api: Api) -> None:
    key = await made(api)
    path = f"/api-keys/{key['id']}"
    rotated = await api.post(f"{path}/rotate", {"overlap": 60})
    assert (rotated.status, rotated.headers["Cache-Control"]) == (200, "no-store")
    second = rotated.document["token"]
    assert rotated.document["hint"] == second[: len("trimtab_viewer_") + 4]
    assert [await works(api, each) for each in (key["token"], second)] == [True, True]
    third = (await api.post(f"{path}/rotate", {"overlap": 0})).document["token"]
    assert [await works(api, each) for each in (key["token"], second, third)] == [False, False, True]
    shown = (await api.get(path)).document
    assert "token" not in shown
    assert (shown["former_until"], shown["rotated_at"] is not None) == (None, True)
    records = (await api.get("/audit?action=api-key.rotated")).document["items"]
    assert [each["object"] for each in records] == ["api-key:ci"] * 2
    assert (await api.post(f"{path}/rotate", {"overlap": -1})).pointers == ["/overlap"]
    assert (await api.post(f"{path}/rotate", {"overlap": 31 * 86_400})).pointers == ["/overlap"]
    await api.delete(path)
    assert (await api.get(path)).status == 404
    assert (await api.post(f"{path}/rotate", {})).status == 404


async def test_nobody_gets_the_secret_of_a_key_that_may_do_more(api: Api) -> None:
    strong = (await api.post("/api-keys", {"name": "root", "role": "admin"})).document
    assert (await api.put("/roles/keys", {"permissions": ["api-keys.write", "api-keys.read"]})).status == 200
    weak = await api.member("keeper", ("keys", "global"))
    refused = await api.post(f"/api-keys/{strong['id']}/rotate", {}, token=weak)
    assert (refused.status, "lacks" in refused.document["detail"]) == (403, True)
    assert await works(api, strong["token"])


async def test_a_key_is_good_from_its_own_addresses_only(api: Api) -> None:
    here = await made(api, addresses=["10.0.0.0/8", "127.0.0.1"])
    assert here["addresses"] == ["10.0.0.0/8", "127.0.0.1/32"]
    assert await works(api, here["token"])
    there = await made(api, name="elsewhere", addresses=["192.0.2.0/24", "2001:db8::/32"])
    refused = await api.get("/apps", token=there["token"])
    assert (refused.status, "127.0.0.1" in refused.document["detail"]) == (403, True)
    for wrong in ("10.0.0.0/99", "nowhere", "", "10.0.0.1\n"):
        answer = await api.post("/api-keys", {"name": "x", "role": "viewer", "addresses": [wrong]})
        assert (answer.status, answer.pointers) == (422, ["/addresses/0"]), wrong


async def test_it_shows_when_a_key_was_used_and_from_where(api: Api) -> None:
    key = await made(api)
    path = f"/api-keys/{key['id']}"
    assert (await api.get(path)).document["last_used_at"] is None
    assert await works(api, key["token"])
    await api.services.uses.keep()
    shown = (await api.get(path)).document
    assert (shown["last_used_at"] is not None, shown["last_used_from"]) == (True, "127.0.0.1")


async def test_hashes_are_keyed_also_those_from_before_there_was_a_key(api: Api, migrated_url: str) -> None:
    key = await made(api)
    plain = token_hash(key["token"])
    connection = await asyncpg.connect(migrated_url)
    try:
        stored = await connection.fetchval("select token_hash from credentials where name = 'ci'")
        assert stored not in {plain, hashlib.sha256(plain).digest()}
        await connection.execute("update credentials set token_hash = $1, keyed = false where name = 'ci'", plain)
        api.services.access.forget()
        assert await works(api, key["token"])
        assert await connection.fetchval("select token_hash from credentials where name = 'ci'") == stored
        assert await connection.fetchval("select bool_and(keyed) from credentials")
        await connection.execute("update credentials set token_hash = $1 where name = 'ci'", plain)
        api.services.access.forget()
        assert not await works(api, key["token"]), "a plain hash that says it is keyed is nobody's"
    finally:
        await connection.close()

"""API keys over HTTP: people and machines by name, with a role."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from control_plane.domain.access.role import Role
from shared.runtime.clock import SystemClock
from tests.rig.api import Api, serving_api


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as api:
        yield api


async def test_who_acts_with_a_key_is_known_by_its_name(api: Api) -> None:
    await api.register()
    made = await api.post("/api-keys", {"name": "alice", "role": "publisher", "description": "Alice"})
    assert made.status == 201
    token = made.document["token"]
    assert token.startswith("trimtab_publisher_")
    body = {"app_id": "shop", "key": "a", "value": 1}
    assert (await api.post("/configs", body, token=token)).status == 201
    assert [each["author"] for each in (await api.get("/changes", token=token)).document["items"]] == ["alice"]
    refused = await api.post("/apps", {"app_id": "other"}, token=token)
    assert (refused.status, refused.document["permission"]) == (403, "apps.write")


async def test_a_key_is_listed_without_its_secret_and_ends_when_it_is_revoked(api: Api) -> None:
    end = (SystemClock().now() + timedelta(days=1)).replace(microsecond=0)
    made = await api.post("/api-keys", {"name": "ci", "role": "editor", "expires_at": end.isoformat()})
    listed = await api.get("/api-keys")
    assert made.document["token"].encode() not in listed.body
    (key,) = listed.document["items"]
    assert (key["id"], key["name"], key["created_by"]) == (made.document["id"], "ci", "operator")
    assert key["expires_at"].startswith(end.isoformat()[:19])
    token = made.document["token"]
    assert (await api.get("/apps", token=token)).status == 200
    assert (await api.delete(f"/api-keys/{key['id']}")).status == 204
    assert (await api.get("/apps", token=token)).status == 401
    assert (await api.delete(f"/api-keys/{key['id']}")).status == 404
    assert (await api.get("/api-keys")).document["items"] == []


async def test_a_secret_is_shown_once(api: Api) -> None:
    body, headers = {"name": "ci", "role": "editor"}, {"Idempotency-Key": "k"}
    assert (await api.post("/api-keys", body, headers=headers)).status == 201
    again = await api.post("/api-keys", body, headers=headers)
    assert again.status == 409
    assert b"trimtab_editor" not in again.body


@pytest.mark.parametrize("name", ["operator", "system", "anybody", "agent", "agent-1", "agents", "Alice", "a b", ""])
async def test_some_names_are_nobodys(api: Api, name: str) -> None:
    answer = await api.post("/api-keys", {"name": name, "role": "viewer"})
    assert (answer.status, answer.pointers) == (422, ["/name"])


async def test_what_cannot_be_a_key_is_refused(api: Api) -> None:
    for body, pointer in (
        ({"name": "a", "role": "agent"}, "/role"),
        ({"name": "a", "role": "operator"}, "/role"),
        ({"name": "a", "role": "viewer", "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"name": "a", "role": "viewer", "expires_at": "9999-12-31T23:59:59-23:59"}, "/expires_at"),
        ({"name": "a", "role": "viewer", "expires_at": "0001-01-01T00:00:00+23:59"}, "/expires_at"),
        ({"name": "a", "role": "viewer", "expires_at": "2030-01-01T00:00:00"}, "/expires_at"),
        ({"name": "a", "role": "viewer", "expires_at": 1}, "/expires_at"),
    ):
        answer = await api.post("/api-keys", body)
        assert (answer.status, answer.pointers) == (422, [pointer]), body
    await api.post("/api-keys", {"name": "a", "role": "viewer"})
    twice = await api.post("/api-keys", {"name": "a", "role": "viewer"})
    assert (twice.status, twice.document["name"]) == (409, "a")


@pytest.mark.parametrize("role", ["viewer", "editor", "approver", "publisher", "auditor"])
async def test_only_admins_and_the_operator_make_keys(api: Api, role: str) -> None:
    token = await api.key("somebody", Role(role))
    assert (await api.post("/api-keys", {"name": "other", "role": "viewer"}, token=token)).status == 403
    admin = await api.key("boss", Role.ADMIN)
    assert (await api.post("/api-keys", {"name": "other", "role": role}, token=admin)).status == 201


async def test_keys_are_audited_without_their_secrets(api: Api) -> None:
    made = await api.post("/api-keys", {"name": "alice", "role": "viewer"})
    await api.delete(f"/api-keys/{made.document['id']}")
    pool = api.services.access._credentials._pool
    rows = await pool.fetch(
        "select action, object, actor, detail from audit_logs where object like 'api-key:%' order by seq"
    )
    assert [(each["action"], each["object"]) for each in rows] == [
        ("api-key.created", "api-key:alice"),
        ("api-key.revoked", "api-key:alice"),
    ]
    assert {each["actor"] for each in rows} == {"operator"}
    assert all(made.document["token"] not in each["detail"] for each in rows)

"""Roles of an installation, and who has them, over HTTP."""

from collections.abc import AsyncIterator

import anyio
import pytest

from control_plane.domain.access.role import Role
from tests.rig.api import Api, serving_api
from tests.rig.people import problem


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as api:
        yield api


def _binding(subject: str, role: str, reach: str) -> dict[str, str]:
    return {"subject": subject, "role": role, "reach": reach}


async def test_a_role_is_made_changed_and_forgotten_and_the_audit_tells_of_it(api: Api) -> None:
    made = await api.put("/roles/captain", {"permissions": ["configs.read"], "version": 0})
    assert (made.status, made.document["version"]) == (200, 1)
    assert (await api.put("/roles/captain", {"permissions": ["configs.read"]})).document["version"] == 1
    changed = await api.put("/roles/captain", {"permissions": ["configs.read", "changes.read"]})
    assert changed.document["version"] == 2
    stale = await api.put("/roles/captain", {"permissions": ["changes.read"]}, headers={"If-Match": '"1"'})
    assert stale.status == 412
    assert (await api.get("/roles/captain")).document["permissions"] == ["changes.read", "configs.read"]
    listed = [each["name"] for each in (await api.get("/roles")).document["items"]]
    assert listed == sorted([*Role, "captain"])
    assert (await api.delete("/roles/captain")).status == 204
    assert (await api.get("/roles/captain")).status == 404
    actions = [each["action"] for each in (await api.get("/audit?object=role:captain")).document["items"]]
    assert actions == ["role.deleted", "role.updated", "role.created"]


async def test_a_built_in_role_stays_as_it_is(api: Api) -> None:
    assert (await api.put("/roles/viewer", {"permissions": ["configs.write"]})).status == 409
    assert (await api.delete("/roles/viewer")).status == 409
    assert (await api.get("/roles/viewer")).document["built_in"] is True


async def test_a_permission_that_there_is_not_makes_no_role(api: Api) -> None:
    for name in ("configs.fly", "self", ""):
        answer = await api.put("/roles/odd", {"permissions": [name]})
        assert (answer.status, answer.pointers) == (422, ["/permissions/0"])


async def test_nobody_makes_or_alters_a_role_that_may_do_more_than_he(api: Api) -> None:
    await api.put("/roles/keeper", {"permissions": ["roles.write", "roles.read", "configs.read"]})
    await api.put("/roles/mighty", {"permissions": ["audit.archive"]})
    keeper = await api.member("keeper", ("keeper", "global"))
    assert (await api.put("/roles/mine", {"permissions": ["configs.read"]}, token=keeper)).status == 200
    above = await api.put("/roles/mine", {"permissions": ["configs.read", "configs.write"]}, token=keeper)
    assert (above.status, above.document["permission"]) == (403, "configs.write")
    assert (await api.put("/roles/mighty", {"permissions": ["configs.read"]}, token=keeper)).status == 403


async def test_nobody_grants_what_he_does_not_have_there(api: Api) -> None:
    await api.put("/roles/granter", {"permissions": ["role-bindings.write", "role-bindings.read"]})
    token = await api.member("lead", ("granter", "billing"), ("publisher", "billing/dev"), ("viewer", "global"))
    for role, reach, status in (
        ("publisher", "billing/dev", 201),
        ("publisher", "billing/dev/db.*", 201),
        ("viewer", "billing/prod", 201),
        ("publisher", "billing/prod", 403),
        ("viewer", "global", 403),
        ("admin", "billing/dev", 403),
    ):
        answer = await api.post("/role-bindings", _binding("user:anna", role, reach), token=token)
        assert answer.status == status, (role, reach, answer.body)
    assert (await api.post("/role-bindings", _binding("user:anna", "viewer", "global"))).status == 201
    seen = (await api.get("/role-bindings?subject=user:anna", token=token)).document["items"]
    assert {each["reach"] for each in seen} == {"billing/dev", "billing/dev/db.*", "billing/prod"}
    everything = (await api.get("/role-bindings?subject=user:anna")).document["items"]
    hidden = next(each["id"] for each in everything if each["reach"] == "global")
    assert (await api.delete(f"/role-bindings/{hidden}", token=token)).status == 404
    assert (await api.delete(f"/role-bindings/{seen[0]['id']}", token=token)).status == 204


async def test_what_cannot_be_granted_is_told(api: Api) -> None:
    for body, pointer in (
        (_binding("user:anna", "nobody-knows", "global"), "/role"),
        (_binding("user:anna", "operator", "global"), "/role"),
        (_binding("user:anna", "agent", "shop/prod"), "/role"),
        (_binding("anna", "viewer", "global"), "/subject"),
        (_binding("user:a b", "viewer", "global"), "/subject"),
        (_binding("user:anna", "viewer", "Shop"), "/reach"),
        (_binding("user:anna", "viewer", "shop/prod/a/b"), "/reach"),
        (_binding("user:anna", "viewer", "shop/prod/*****"), "/reach"),
    ):
        answer = await api.post("/role-bindings", body)
        assert (answer.status, answer.pointers) == (422, [pointer]), body
    assert (await api.post("/role-bindings", _binding("user:anna", "viewer", "global"))).status == 201
    assert (await api.post("/role-bindings", _binding("user:anna", "viewer", "global"))).status == 409


async def test_a_role_that_somebody_has_is_not_forgotten(api: Api) -> None:
    await api.put("/roles/captain", {"permissions": ["configs.read"]})
    made = (await api.post("/role-bindings", _binding("group:captains", "captain", "*/prod"))).document
    assert (await api.delete("/roles/captain")).status == 409
    assert (await api.delete(f"/role-bindings/{made['id']}")).status == 204
    assert (await api.delete("/roles/captain")).status == 204


async def test_the_last_who_may_grant_anything_stays(api: Api, migrated_url: str) -> None:
    ada = await api.member("ada", ("admin", "global"))
    (granted,) = (await api.get("/role-bindings")).document["items"]
    async with serving_api(migrated_url) as other:  # has a bootstrap operator of its own, and so there is one
        assert (await other.delete(f"/role-bindings/{granted['id']}")).status == 204
        assert (await other.post("/role-bindings", _binding("service:ada", "admin", "global"))).status == 201
        async with other.services.changes._pool.acquire() as connection:  # type: ignore[attr-defined]
            await connection.execute("update credentials set revoked_at = now() where role = 'operator'")
        (granted,) = (await other.get("/role-bindings", token=ada)).document["items"]
        refused = await other.delete(f"/role-bindings/{granted['id']}", token=ada)
        assert (refused.status, problem(refused)) == (409, "conflict")


async def test_a_grant_and_its_end_take_effect_on_every_replica_within_two_seconds(api: Api, migrated_url: str) -> None:
    async with serving_api(migrated_url, bootstrap_token=api.operator) as other:
        token = await api.member("kim")
        assert (await other.get("/roles", token=token)).status == 403
        made = (await api.post("/role-bindings", _binding("service:kim", "viewer", "global"))).document
        await _until(other, token, 200)
        await api.delete(f"/role-bindings/{made['id']}")
        assert (await api.get("/roles", token=token)).status == 403
        await _until(other, token, 403)


async def _until(api: Api, token: str, status: int) -> None:
    with anyio.fail_after(4):  # two seconds, on a busy machine
        while (await api.get("/roles", token=token)).status != status:
            await anyio.sleep(0.05)


async def test_everybody_is_told_who_he_is_and_why_he_may_or_may_not(api: Api) -> None:
    agent = await api.register("shop", "prod")
    kim = await api.member("kim", ("publisher", "shop/prod/db.*"))
    me = (await api.get("/auth/whoami", token=kim)).document
    assert (me["id"], me["kind"], [each["reach"] for each in me["grants"]]) == (
        "kim",
        "service_account",
        ["global", "shop/prod/db.*"],
    )
    assert (await api.get("/auth/whoami", token=agent)).document["environment"] == "prod"
    asked = "/auth/explain?permission=configs.write&app_id=shop&environment=prod&key="
    yes = (await api.get(f"{asked}db.pool", token=kim)).document
    assert (yes["allowed"], yes["grant"]["reach"]) == (True, "shop/prod/db.*")
    no = (await api.get(f"{asked}cache.ttl", token=kim)).document
    assert (no["allowed"], no["grant"], no["reach"]) == (False, None, "shop/prod/cache.ttl")
    assert no["roles"] == ["admin", "publisher"]
    assert "shop/prod/db.* only" in no["because"]
    assert (await api.get(f"{asked}db.pool&principal=service:kim", token=kim)).document == yes
    assert (await api.get(f"{asked}db.pool&principal=user:anna", token=kim)).status == 403
    other = (await api.get(f"{asked}db.pool&principal=service:kim")).document
    assert other == yes
    await api.post("/role-bindings", _binding("group:dba", "editor", "shop"))
    grouped = "/auth/explain?permission=changes.propose&app_id=shop&principal=user:anna&group=dba"
    assert (await api.get(grouped)).document["allowed"] is True
    assert (await api.get(grouped.removesuffix("&group=dba"))).document["allowed"] is False
    assert (await api.get(f"{asked}db.pool&principal=service:nobody")).status == 404
    assert (await api.get("/auth/explain?permission=nonsense")).status == 422


async def test_a_name_with_grants_gets_a_key_only_from_whom_has_these(api: Api) -> None:
    await api.put("/roles/keymaker", {"permissions": ["api-keys.write", "configs.read"]})
    maker = await api.member("maker", ("keymaker", "global"))
    await api.post("/role-bindings", _binding("service:mighty", "admin", "global"))
    refused = await api.post("/api-keys", {"name": "mighty", "role": "member"}, token=maker)
    assert refused.status == 403
    assert (await api.post("/api-keys", {"name": "meek", "role": "member"}, token=maker)).status == 201

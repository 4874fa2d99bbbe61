"""Every door through which a secret comes into an installation, beside plain writes: each has a canary of its own."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.rig.installation import APP, ENVIRONMENT

Ask = Callable[..., Awaitable[Any]]
NAMES = ("flagged", "imported", "base", "promoted", "aborted", "running", "waiting", "approved", "undone", "strict")
CANARIES = {name: f"canary-{name}-d41b07" for name in NAMES}
ELSEWHERE = "stage"
_PLACE = {"app_id": APP, "environment": ENVIRONMENT}
_PASSWORDS = ("canary-first-password-33a0", "canary-other-password-9b1c", "canary-wrong-password-4e7d")


async def through_all(ask: Ask, agent_token: str) -> list[str]:
    """Go through all of them; what must be found nowhere afterwards."""
    await _other_kinds(ask)
    await _rollouts(ask)
    await _proposals(ask)
    await _back_and_forth(ask)
    return [*CANARIES.values(), *_PASSWORDS, *await _credentials(ask, agent_token)]


def _secret(key: str, **content: Any) -> dict[str, Any]:
    return {**_PLACE, "key": key, "sensitive": True, "message": "why", **content}


async def _expect(ask: Ask, statuses: set[int], *request: Any, **more: Any) -> Any:
    status, document = await ask(*request, **more)
    assert status in statuses, (request, status, document)
    return document


async def _other_kinds(ask: Ask) -> None:
    """Flags, imports, and what a schema refuses."""
    on = {"on": CANARIES["flagged"], "off": CANARIES["flagged"] + "-off"}
    flag = {"variants": on, "default": "off", "off": "off", "on": True, "rules": []}
    made = await _expect(ask, {201}, "POST", "/api/v1/configs", _secret("flagged", flag=flag))
    await _expect(ask, {200}, "GET", f"/api/v1/configs/{made['id']}/versions/1")
    entry = {"value": {"deep": [CANARIES["imported"]]}, "sensitive": True}
    document = {"trimtab": 1, "apps": {APP: {"environments": {ENVIRONMENT: {"configs": {"imported": entry}}}}}}
    for dry_run in (True, False):
        body = document | {"on_conflict": "overwrite", "dry_run": dry_run}
        await _expect(ask, {200, 201}, "POST", "/api/v1/import", body)
    wrong = {"trimtab": 1, "global": {"configs": {"imported": entry | {"kind": CANARIES["imported"]}}}}
    await _expect(ask, {422}, "POST", "/api/v1/import", wrong)
    schema = {"app_id": APP, "pattern": "strict*", "schema": {"type": "object", "maxProperties": 1}}
    await _expect(ask, {201}, "POST", "/api/v1/schemas", schema)
    await _expect(ask, {422}, "POST", "/api/v1/configs", _secret("strict", value=CANARIES["strict"]))


async def _rollouts(ask: Ask) -> None:
    """Candidates: one becomes the value, one is taken back, one stays on its way."""
    plan = {
        "strategy": "percentage",
        "stages": [{"weight": 1_000, "after": "0s"}, {"weight": 100_000, "after": "2h"}],
        "unit": "targetingKey",
        "message": "gradually",
    }
    for name in ("promoted", "aborted", "running"):
        made = await _expect(ask, {201}, "POST", "/api/v1/configs", _secret(name, value=CANARIES["base"]))
        rollout = {**_PLACE, "key": name, "candidate": CANARIES[name], **plan}
        await _expect(ask, {200}, "POST", "/api/v1/rollouts/preview", rollout)
        started = await _expect(ask, {201}, "POST", "/api/v1/rollouts", rollout | {"start": True})
        path = f"/api/v1/rollouts/{started['id']}"
        refused = {"value": CANARIES[name]}
        await _expect(ask, {409}, "PUT", f"/api/v1/configs/{made['id']}", refused, **{"If-Match": "*"})
        if name == "promoted":
            await _expect(ask, {200}, "POST", f"{path}/promote", {"reason": "good", "full": True})
        elif name == "aborted":
            await _expect(ask, {200}, "POST", f"{path}/abort", {"reason": "bad"})
        for each in (path, f"{path}/events", "/api/v1/rollouts"):
            await _expect(ask, {200}, "GET", each)


async def _proposals(ask: Ask) -> None:
    """Changes that are stored before they are committed; one of them still is."""
    for name in ("waiting", "approved"):
        operation = {"op": "put", **_PLACE, "key": name, "value": {"x": CANARIES[name]}, "sensitive": True}
        body = {"message": "please", "mode": "submit", "operations": [operation]}
        made = await _expect(ask, {201}, "POST", "/api/v1/changes", body)
        path = f"/api/v1/changes/{made['id']}"
        await _expect(ask, {200}, "GET", f"{path}/preview")
        if name == "approved":
            await _expect(ask, {200, 201}, "POST", f"{path}/commit", {})
        await _expect(ask, {200}, "GET", path)


async def _back_and_forth(ask: Ask) -> None:
    """Earlier values that come back, and values that go to other places."""
    await _expect(ask, {201}, "POST", f"/api/v1/apps/{APP}/environments", {"environment": ELSEWHERE})
    made = await _expect(ask, {201}, "POST", "/api/v1/configs", _secret("undone", value=CANARIES["undone"]))
    path, since = f"/api/v1/configs/{made['id']}", made["revision"]
    body = {"value": CANARIES["undone"] + "-again", "message": "m"}
    again = await _expect(ask, {200}, "PUT", path, body, **{"If-Match": "*"})
    await _expect(ask, {200, 201}, "POST", f"/api/v1/changes/{again['revision']}/revert", {"message": "back"})
    await _expect(ask, {200, 201}, "POST", f"{path}/rollback", {"version": 2, "message": "and forth"})
    restore = {"revision": since, "prefix": "undone", "message": "as it was"}
    await _expect(ask, {200, 201}, "POST", f"/api/v1/apps/{APP}/environments/{ENVIRONMENT}/restore", restore)
    there = {"app_id": APP, "environment": ELSEWHERE}
    body = {"from": _PLACE, "to": there, "keys": ["undone"], "message": "on"}
    await _expect(ask, {200, 201}, "POST", "/api/v1/promotions", body)
    await _expect(ask, {201}, "POST", "/api/v1/named-snapshots", {"name": "now", "revision": since})
    for each in (f"{path}/versions", f"/api/v1/effective/{APP}/{ELSEWHERE}", "/api/v1/named-snapshots"):
        await _expect(ask, {200}, "GET", each)


async def _credentials(ask: Ask, agent_token: str) -> list[str]:
    """What people, machines and agents show to be let in; each is told once, to whom it is for."""
    first, other, wrong = _PASSWORDS
    key = await _expect(ask, {201}, "POST", "/api/v1/api-keys", {"name": "ci", "role": "viewer"}, quietly=True)
    token = await _expect(
        ask, {201}, "POST", f"/api/v1/apps/{APP}/environments/{ELSEWHERE}/agent-tokens", {}, quietly=True
    )
    await _expect(ask, {201}, "POST", "/api/v1/users", {"name": "anna", "password": first})
    await _expect(ask, {422}, "POST", "/api/v1/users", {"name": "berta", "password": "short", "passwort": wrong})
    await _expect(ask, {200}, "PUT", "/api/v1/users/anna/password", {"password": other})
    login = {"name": "anna", "password": other, "carrier": "bearer"}
    opened = await _expect(ask, {200}, "POST", "/api/v1/auth/login", login, quietly=True)
    await _expect(ask, {401}, "POST", "/api/v1/auth/login", login | {"password": wrong})
    as_agent = {"Authorization": f"Bearer {agent_token}"}
    path = f"/api/v1/apps/{APP}/environments/{ENVIRONMENT}/broker-credentials"
    lent = await _expect(ask, {200, 201}, "POST", path, {"instance": "i"}, quietly=True, **as_agent)
    for each in ("api-keys", "users", "keys", "auth/whoami", "role-bindings"):
        await _expect(ask, {200}, "GET", f"/api/v1/{each}")
    return [key["token"], token["token"], opened["token"], lent["password"]]

"""Whatever changes something through the API leaves a record of who, from where, and in which request.

Made of the route table: a new operation that is no GET is tried here (`tests/rig/good_requests.py` says with what) and has to
leave a record, or `CHANGES_NOTHING` says why it leaves none.
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from control_plane.api.routes import ROUTES
from control_plane.domain.access.role import Role
from tests.rig.api import Api, serving_api
from tests.rig.good_requests import GOOD, known_names, stay_writable
from tests.rig.logins import Browser

WRITING = {each.name: each for each in ROUTES if each.method != "GET"}
CHANGES_NOTHING = {
    "preview_change": "it only tells",
    "preview_rollout": "it only tells",
    "fetch_configs": "it reads",
    "report_agent": "a fleet reports all the time, and it is forgotten as soon",
    "create_broker_credential": "agents ask for one every hour; it is signed, and nothing is kept of it",
    "enrol_agent": "likewise; the credential is seen in the fleet",
    "create_access_token": "likewise; it ends with its key, whose last use is seen",
    "logout": "whoever ends only his own session changes nothing for others",
    "end_session": "likewise",
    "exchange_code": "only with an identity provider; its login is recorded",
    "log_out_by_provider": "only with an identity provider",
}
"""And why they leave no record."""
BY_A_SECOND = {"approve_change", "reject_change", "approve_rollout", "close_review"}
"""What nobody does with what is his own."""
_NAMES = {
    "app": "shop",
    "environment": "prod",
    "name": "before",
    "version": "1",
    "change": "1",
    "template": "careful",
    "role": "captain",
    "user": "anna",
    "session": "x",
}
_FIRST = ("create_named_snapshot", "put_rollout_template", "put_role", "create_user", "create_config")
_LAST = {
    "archive_audit_records": "",
    "delete_environment": "?confirm=shop/prod&force=true",
    "delete_app": "?confirm=shop&force=true",
}


@dataclass
class Trial:
    """Sends requests, and remembers which left a record."""

    api: Api
    second: str
    recorded: set[str] = field(default_factory=set)
    refused: dict[str, bytes] = field(default_factory=dict)

    async def send(self, name: str, path: str, body: Any) -> None:
        request = str(uuid4())
        token = self.second if name in BY_A_SECOND else self.api.operator
        sent = {"If-Match": "*", "X-Request-Id": request}
        answer = await self.api.call(WRITING[name].method, path, body, token=token, headers=sent)
        if answer.status >= 400:
            self.refused[name] = answer.body
            return
        await self.look(name, request, "otto" if name in BY_A_SECOND else "operator")
        await stay_writable(self.api, path, answer)

    async def look(self, name: str, request: str, actor: str) -> None:
        """Whether there is a record of this request, and by whom it was made."""
        found = [each for each in await self.records() if each["request_id"] == request]
        if found:
            self.recorded.add(name)
            assert {each["actor"] for each in found} == {actor}, (name, found)
            assert {each["address"] for each in found} == {"127.0.0.1"}, name

    async def records(self) -> list[Any]:
        return list((await self.api.get("/audit?limit=20")).document["items"])


async def body_of(api: Api, name: str) -> Any:
    """A request that changes something."""
    match name:
        case "create_promotion":
            place = {"app_id": "shop", "environment": "prod"}
            return {"from": place, "to": place | {"environment": "dev"}, "keys": ["k"]}
        case "archive_audit_records":
            return {"through": 1, "hash": (await api.get("/audit/1")).document["hash"]}
    return GOOD.get(name)


async def id_of(api: Api, name: str) -> dict[str, str]:
    """Something that there is, for operations whose path names it."""
    new = f"new-{uuid4()}"
    make: dict[str, tuple[str, Any]] = {
        "revoke_agent_token": ("/apps/shop/environments/prod/agent-tokens", {}),
        **dict.fromkeys(("revoke_api_key", "rotate_api_key"), ("/api-keys", {"name": new, "role": "viewer"})),
        "delete_role_binding": ("/role-bindings", {"subject": "user:otto", "role": "viewer", "reach": "shop"}),
        "unarchive_app": ("/apps/shop/archive", GOOD["archive_app"]),
        "unarchive_environment": ("/apps/shop/environments/prod/archive", GOOD["archive_environment"]),
        **dict.fromkeys(
            ("rollback_config", "update_config", "delete_config", "revert_change"),
            ("/configs", {"app_id": "shop", "key": new, "value": 0}),
        ),
    }
    if name == "close_review":
        return {"id": (await api.get("/reviews")).document["items"][0]["id"]}
    if name not in make:
        return await known_names(api, WRITING[name])
    made = (await api.post(*make[name])).document
    if name == "rollback_config":
        await api.put(f"/configs/{made['id']}", {"value": 1}, headers={"If-Match": "*"})
    return {"id": made.get("id", ""), "change": made.get("revision", "")}


async def people(api: Api, trial: Trial) -> None:
    """What people do with sessions of their own."""
    first, second = GOOD["reset_password"]["password"], "seven other lighthouses"
    login = {"name": "anna", "password": first}
    passwords = {"current_password": first, "new_password": second}
    for name, password, path, body in (
        ("login", "", "/auth/login", login),
        ("change_password", first, "/auth/password", passwords),
        ("logout_everywhere", second, "/auth/logout-everywhere", None),
    ):
        browser, request = Browser(api), str(uuid4())
        assert not password or (await browser.login("anna", password)).status == 200
        answer = await browser.call(WRITING[name].method, path, body, X_Request_Id=request)
        assert answer.status < 400, (name, answer.body)
        await trial.look(name, request, "user:anna")


async def test_every_operation_that_changes_something_leaves_a_record(migrated_url: str) -> None:
    async with serving_api(
        migrated_url, **{f"rate_{each}": "off" for each in ("writes", "addresses", "logins")}
    ) as api:
        trial = Trial(api, await api.key("otto", Role.ADMIN))
        await api.register()
        await api.post("/configs", {"app_id": "shop", "environment": "prod", "key": "k", "value": 0})
        await api.post("/configs", {"app_id": "shop", "environment": "prod", "key": "l", "value": 0})
        await api.post("/policies", GOOD["replace_policy"])
        await api.post("/schemas", GOOD["update_schema"])
        names = [each for each in WRITING if each not in {*_FIRST, *_LAST, *CHANGES_NOTHING}]
        for name in (*_FIRST, *names, *_LAST):
            here = _NAMES | (await id_of(api, name) if "{" in WRITING[name].path else {})
            path = "/" + WRITING[name].path.format(**here) + _LAST.get(name, "")
            await trial.send(name, path, await body_of(api, name))
            if name == "reset_password":
                await people(api, trial)
        assert set(WRITING) - trial.recorded == set(CHANGES_NOTHING), trial.refused

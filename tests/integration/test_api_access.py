"""Who may do what over HTTP: every route of the table against every kind of caller."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from control_plane.api.route import Route
from control_plane.api.routes import ROUTES
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.role import PERMISSIONS, Role
from control_plane.domain.access.token import new_token
from shared.runtime.clock import SystemClock
from tests.rig.api import Api, serving_api


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as api:
        yield api


OPEN = {
    "get_health",
    "get_readiness",
    "get_metrics",
    "get_openapi",
    "get_docs",
    "get_docs_file",
    "get_broker_keys",
    "get_signing_keys",
    "get_token_keys",
}
"""The operations that anybody may ask for."""
OPEN_TO_LOG_IN = {
    "get_login_methods",
    "login",
    "go_to_provider",
    "come_from_provider",
    "exchange_code",
    "log_out_by_provider",
    "create_access_token",
}
"""Those by which somebody who is not known yet becomes known."""
OF_SESSIONS = {
    "logout",
    "logout_everywhere",
    "get_session",
    "list_sessions",
    "end_session",
    "change_password",
}
"""What only people who have logged in may do: none of the callers here has."""
ASKED_BY_HANDLERS = {
    Permission.CONFIGS_WRITE,
    Permission.CHANGES_PROPOSE,
    Permission.CHANGES_BREAK_GLASS,
    Permission.VALUES_READ,
    Permission.ACCESS_EXPLAIN,
}
"""What else an operation asks for, by what the request says."""
KEY_ROLES = set(Role) - {Role.OPERATOR, Role.AGENT}


@dataclass(frozen=True)
class Caller:
    """Somebody with a token, known in a role, or nobody."""

    token: str | None
    role: Role | None
    environment: str | None = None


class _Names(dict[str, str]):
    """What stands in a path; what no test knows of is a thing that does not exist."""

    def __missing__(self, name: str) -> str:
        return str(uuid4())


async def _callers(api: Api) -> dict[str, Caller]:
    prod = await api.register("shop", "prod")
    dev = await api.register("shop", "dev")
    return {
        "nobody": Caller(None, None),
        "stranger": Caller(new_token(Role.OPERATOR), None),
        "operator": Caller(api.operator, Role.OPERATOR),
        "agent of prod": Caller(prod, Role.AGENT, "prod"),
        "agent of dev": Caller(dev, Role.AGENT, "dev"),
    } | {role: Caller(await api.key(f"key-{role}", role), role) for role in KEY_ROLES}


def _refusal(route: Route[Any, Any], caller: Caller) -> int | None:
    """The status with which a caller is turned away; None where it is let in."""
    if route.permission is None:
        return None
    if caller.role is None:
        return 401
    foreign = "{environment}" in route.path and caller.environment == "dev"
    may = route.permission is Permission.SELF or route.permission in PERMISSIONS[caller.role]
    if route.name in OF_SESSIONS and not route.body:
        return 403
    return None if may and not foreign else 403


async def _status(api: Api, route: Route[Any, Any], caller: Caller) -> int:
    """What a request is answered that is right in nothing but its path, which is about shop/prod."""
    path = route.path.format_map(_Names(app="shop", environment="prod", revision="1", file="start.js"))
    if not route.streams:
        return (await api.call(route.method, f"/{path}", {} if route.body else None, token=caller.token)).status
    headers = {"Authorization": f"Bearer {caller.token}"}
    async with api.session.request(route.method, api.url + path, headers=headers) as response:
        return response.status


def test_an_operation_without_a_permission_is_one_of_the_few_open_ones() -> None:
    assert {route.name for route in ROUTES if route.permission is None} == OPEN | OPEN_TO_LOG_IN


async def test_each_route_lets_in_the_roles_that_it_should_and_nobody_else(api: Api) -> None:
    callers = await _callers(api)
    tried = 0
    for route in ROUTES:
        for name, caller in callers.items():
            status, refusal = await _status(api, route, caller), _refusal(route, caller)
            if refusal is not None:
                assert status == refusal, (route.name, name)
            else:
                assert status not in {401, 403}, (route.name, name)
            tried += 1
    assert tried == len(ROUTES) * (len(Role) + 3)


async def test_a_stream_lets_in_its_own_agents_and_operators(api: Api) -> None:
    own = await api.register("shop", "prod")
    await api.register("shop", "dev")
    for environment, token, status in (
        ("prod", own, 200),
        ("dev", own, 403),
        ("dev", api.operator, 200),
        ("none", api.operator, 404),
        ("prod", "nonsense", 401),
    ):
        headers = {"Authorization": f"Bearer {token}"}
        path = f"{api.url}/api/v1/snapshots/shop/{environment}/watch"
        async with api.session.get(path, headers=headers) as response:
            assert response.status == status, (environment, token)


async def test_an_agent_reports_for_itself_only(api: Api) -> None:
    own = await api.register("shop", "prod")
    await api.register("shop", "dev")
    report = {
        "instance": "i-1",
        "app_id": "shop",
        "environment": "prod",
        "agent_version": "1",
        "revisions": {"global": 0, "app": 0, "environment": 0},
        "state": "live",
        "transport": "sse",
    }
    assert (await api.post("/agents/report", report, token=own)).status == 200
    other = await api.post("/agents/report", report | {"environment": "dev"}, token=own)
    assert (other.status, other.document["permission"]) == (403, Permission.FLEET_REPORT)


async def test_whoever_is_not_known_is_told_how_to_be(api: Api) -> None:
    for header in ("", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", f"Bearer {'x' * 5000}", "Bearer a b", "Bearer ä"):
        answer = await api.get("/apps", token=None, headers={"Authorization": header} if header else {})
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="trimtab"'), header


async def test_an_unknown_path_is_not_found_without_asking_who_calls(api: Api) -> None:
    for path in ("/nope", "//nope", "//", "//api/v1", "//docs/nope.js", "//docs/..%2fapp.py", "//api/v2/apps"):
        assert (await api.get(path, token=None)).status == 404


async def test_every_permission_is_asked_for_somewhere() -> None:
    assert {route.permission for route in ROUTES} | ASKED_BY_HANDLERS == {None, *Permission}


async def test_how_far_a_change_goes_decides_what_it_asks_for(api: Api) -> None:
    callers = await _callers(api)
    soon = (SystemClock().now() + timedelta(hours=6)).isoformat()
    for name, caller in callers.items():
        grants = PERMISSIONS[caller.role] if caller.role else frozenset()
        for intent, needed in (
            ({}, {Permission.CONFIGS_WRITE}),
            ({"mode": "draft"}, {Permission.CHANGES_PROPOSE}),
            ({"mode": "submit"}, {Permission.CHANGES_PROPOSE}),
            ({"scheduled_at": soon}, {Permission.CHANGES_PROPOSE}),
            ({"break_glass": {"reason": "now"}}, {Permission.CONFIGS_WRITE, Permission.CHANGES_BREAK_GLASS}),
        ):
            operation = {"op": "put", "app_id": "shop", "key": f"{name}-{len(needed)}".replace(" ", "."), "value": 1}
            answer = await api.post("/changes", {"operations": [operation], **intent}, token=caller.token)
            expected = 401 if caller.role is None else 201 if needed <= grants else 403
            assert answer.status == expected, (name, intent, answer.body)

"""Who may do what over HTTP: every route of the table against every kind of caller."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from control_plane.api.route import Route
from control_plane.api.routes import ROUTES
from control_plane.domain.principal import Role, new_token
from control_plane.services.access import GRANTS, Permission
from tests.rig.api import Api, serving_api


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as api:
        yield api


def _path(route: Route[Any, Any], environment: str) -> str:
    names = {"app": "shop", "environment": environment, "id": uuid4(), "revision": 1, "file": "start.js"}
    return "/" + route.path.format(**names)


def _expected(route: Route[Any, Any], caller: str) -> set[int] | None:
    """The statuses with which a caller is turned away; None where it is let in."""
    if route.permission is None:
        return None
    if caller in {"nobody", "stranger"}:
        return {401}
    if caller == "operator":
        return None
    granted = route.permission in GRANTS[Role.AGENT]
    return None if granted and caller == "agent" else {403}


async def test_each_route_lets_in_whom_it_should_and_nobody_else(api: Api) -> None:
    own = await api.register("shop", "prod")
    await api.register("shop", "dev")
    tokens = {
        "nobody": None,
        "stranger": new_token(Role.OPERATOR),
        "operator": api.operator,
        "agent": own,
        "other": own,
    }
    for route in (each for each in ROUTES if not each.streams):
        for caller, token in tokens.items():
            path = _path(route, "dev" if caller == "other" else "prod")
            if caller == "other" and "{environment}" not in route.path:
                continue
            body = {} if route.body else None
            answer = await api.call(route.method, path, body, token=token)
            expected = _expected(route, caller)
            if expected is None:
                assert answer.status not in {401, 403}, (route.name, caller)
            else:
                assert answer.status in expected, (route.name, caller)


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
    assert {route.permission for route in ROUTES} == {None, *Permission}

"""Seeing which configs there are without their values, and publishing without seeing anything."""

from collections.abc import AsyncIterator

import pytest

from control_plane.api.routes import ROUTES
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.role import PERMISSIONS, Role
from tests.rig.api import Api, serving_api
from tests.rig.two_apps import OURS, Things, canary, fill

CANARY = canary(OURS).encode()
QUERIES = {
    "search_configs": f"?q={OURS}",
    "list_unused": f"?app_id={OURS}",
    "compare": f"?left={OURS}/prod&right=app.{OURS}&all=true",
    "export_configs": f"?app_id={OURS}",
}
REFUSED = {"watch_snapshot", "export_audit_records", "import_configs", "create_promotion", "clone_rollout"}
REFUSED |= {"create_schema", "update_schema", "delete_schema"}
"""What cannot be done without showing values, or without letting them be guessed."""
PLACE = {"app_id": OURS, "environment": "prod"}


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as api:
        yield api


async def _with(api: Api, role: str, permissions: set[Permission] | frozenset[Permission]) -> str:
    assert (await api.put(f"/roles/{role}", {"permissions": sorted(permissions)})).status == 200
    return await api.member(f"who-{role}", (role, "global"))


async def _answers(api: Api, things: Things, token: str) -> dict[str, tuple[int, bytes]]:
    """What each route that alters nothing answers about these things; of changes, both kinds."""
    found = {}
    for route in ROUTES:
        reading = route.method == "GET" or route.name in {"fetch_configs", "preview_change", "preview_rollout"}
        if not reading or route.permission is None or route.name in REFUSED:
            continue
        for change in (things.ids["change"], things.ids["stored"]) if "{change}" in route.path else ("",):
            names = things.names(route.path) | {"change": change or "1"}
            path = "/" + route.path.format(**names) + QUERIES.get(route.name, "")
            answer = await api.call(route.method, path, things.body(route.name), token=token)
            found[f"{route.name} {change}"] = (answer.status, answer.body)
    return found


async def test_who_may_see_configs_but_no_values_is_shown_none_by_any_route(api: Api) -> None:
    things = await fill(api, OURS)
    everything = PERMISSIONS[Role.ADMIN]
    seeing = await _answers(api, things, await _with(api, "all", everything))
    blind = await _answers(api, things, await _with(api, "most", everything - {Permission.VALUES_READ}))
    assert sum(CANARY in body for _, body in seeing.values()) >= 12, "the canary is where values are"
    for name, (status, body) in blind.items():
        assert CANARY not in body, (name, body)
        assert status == seeing[name][0], (name, status, body)


async def test_a_value_that_is_withheld_looks_like_a_secret(api: Api) -> None:
    things = await fill(api, OURS)
    token = await _with(api, "names", {Permission.CONFIGS_READ})
    shown = (await api.get(f"/configs/{things.ids['configs']}", token=token)).document
    assert (shown["key"], shown["value"], shown["sensitive"]) == ("a", None, True)
    fetched = (await api.post("/configs/fetch", PLACE, token=token)).document["configs"]
    assert {each["value"] for each in fetched.values()} == {None}
    difference = (await api.get(f"/configs/{things.ids['configs']}/difference", token=token)).document
    assert (difference["differs"], difference["patch"], difference["readable"]) == (True, None, None)


async def test_what_would_let_values_be_guessed_takes_values_read(api: Api) -> None:
    things = await fill(api, OURS)
    token = await _with(api, "most", PERMISSIONS[Role.ADMIN] - {Permission.VALUES_READ})
    assert (await api.get("/search?q=canary", token=token)).document["items"] == []
    assert (await api.get("/search?q=canary&in=value", token=token)).status == 403
    assert (await api.get("/configs?text=canary", token=token)).status == 403
    for route in ROUTES:
        if route.name in REFUSED:
            names = things.names(route.path)
            path = "/" + route.path.format(**names)
            headers = {"If-Match": "*"} if route.if_match else {}
            body = {"key": "elsewhere"} if route.name == "clone_rollout" else things.body(route.name)
            answer = await api.call(route.method, path, body, token=token, headers=headers)
            assert (answer.status, answer.document.get("permission")) == (403, "values.read"), (route.name, answer.body)


async def test_a_publisher_who_sees_nothing_puts_blindly(api: Api) -> None:
    things = await fill(api, OURS)
    token = await _with(api, "blind", {Permission.CONFIGS_WRITE, Permission.CHANGES_PROPOSE})
    assert (await api.get("/configs", token=token)).status == 403
    assert (await api.get(f"/configs/{things.ids['configs']}", token=token)).status == 403
    assert (await api.post("/configs", {**PLACE, "key": "new", "value": 1}, token=token)).status == 201
    taken = await api.post("/configs", {**PLACE, "key": "a", "value": 1}, token=token)
    stale = [{"op": "put", **PLACE, "key": "a", "value": 1, "expected_version": 1}]
    moved = await api.post("/changes", {"operations": stale}, token=token)
    since = [{"op": "put", **PLACE, "key": "a", "value": 1}]
    based = await api.post("/changes", {"operations": since, "base_revision": 1}, token=token)
    for answer in (taken, moved, based):
        assert answer.status in {409, 412}, answer.body
        assert CANARY not in answer.body
    assert taken.document["version"] == 2
    put = await api.put(
        f"/configs/{things.ids['configs']}", {"value": {"x": 5}}, token=token, headers={"If-Match": '"2"'}
    )
    assert put.status == 200, put.body
    preview = await api.post("/changes/preview", {"operations": since, "force": {"reason": "x"}}, token=token)
    assert (preview.status, preview.document["differences"]["items"]) == (200, [])
    undone = await api.post(f"/configs/{things.ids['configs']}/rollback", {"version": 1}, token=token)
    assert undone.status == 201
    assert CANARY not in undone.body
    assert (await api.post("/configs/fetch", PLACE)).document["configs"]["a"]["value"] == {"x": canary(OURS)}


async def test_a_schema_that_a_blind_change_breaks_tells_nothing_of_the_values_below(api: Api) -> None:
    await fill(api, OURS)
    token = await _with(api, "blind", {Permission.CONFIGS_WRITE, Permission.CHANGES_PROPOSE})
    schema = {"app_id": OURS, "pattern": "a", "schema": {"type": ["object", "null"]}}
    assert (await api.post("/schemas", schema)).status == 201
    operation = {"op": "put", **PLACE, "key": "a", "value": "text"}
    body = {"operations": [operation], "force": {"reason": "x"}}
    refused = await api.post("/changes", body, token=token)
    assert refused.status == 422
    assert "values" in refused.document["violations"][0]["detail"]
    assert CANARY not in refused.body

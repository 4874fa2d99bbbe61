"""Who was granted something of one application sees and alters nothing of another, by whatever route.

The calls are made from the table of routes: a route that is added is tried as well.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from control_plane.api.route import Route
from control_plane.api.routes import ROUTES
from control_plane.domain.access.permission import Permission
from control_plane.services.proposals import Proposals
from shared.domain.codec import Json
from tests.rig.api import Answer, Api, serving_api
from tests.rig.two_apps import OURS, THEIRS, Things, canary, fill

PUBLIC = {route.name for route in ROUTES if route.permission is None}
ABOUT_ONESELF = {route.name for route in ROUTES if route.permission is Permission.SELF}
SHARED = {"list_roles", "get_role", "list_rollout_templates", "get_rollout_template"}
SHARED |= {"list_named_snapshots", "get_named_snapshot"}
"""What belongs to the installation, and may be seen by whoever may see anything of the kind somewhere."""
LISTS = {"list_apps", "list_configs", "list_changes", "list_rollouts", "list_schemas", "list_policies", "list_agents"}
LISTS |= {"list_audit_records", "list_role_bindings", "search_configs"}
"""What is answered with what is one's own."""
QUERIES = {
    "search_configs": "?q=canary",
    "list_unused": "?app_id={app}",
    "compare": "?left={app}/prod&right={app}/prod&all=true",
    "export_configs": "?app_id={app}",
    "delete_app": "?confirm={app}&force=true",
    "delete_environment": "?confirm={app}/prod&force=true",
}


@dataclass
class World:
    api: Api
    ours: Things
    theirs: Things

    async def call(self, route: Route[Any, Any], things: Things, token: str, change: str = "") -> Answer:
        """Call a route about the things of an application."""
        names = things.names(route.path) | ({"change": change} if change else {})
        path = "/" + route.path.format(**names) + QUERIES.get(route.name, "").format(**names)
        return await self.api.call(
            route.method,
            path,
            things.body(route.name),
            token=token,
            headers={"If-Match": "*"} if route.if_match else {},
        )

    async def state(self) -> Json:
        """What stands of theirs."""
        kinds = ("configs", "changes", "rollouts", "schemas", "policies", "apps", "role-bindings")
        found = [(await self.api.get(f"/{kind}")).document["items"] for kind in kinds]
        return [[each for each in items if THEIRS in str(each)] for items in found]


@pytest.fixture
async def world(migrated_url: str) -> AsyncIterator[World]:
    async with serving_api(migrated_url) as api:
        yield World(api, await fill(api, OURS), await fill(api, THEIRS))


def _named(route: Route[Any, Any]) -> bool:
    """Whether the caller itself names the application: in the path, the query or the body."""
    return "{app}" in route.path or "{app}" in QUERIES.get(route.name, "") or route.body is not None


@pytest.mark.parametrize("role", ["admin", "publisher", "auditor"])
async def test_nothing_of_another_application_is_seen_or_altered_by_any_route(world: World, role: str) -> None:
    token = await world.api.member("lead", (role, OURS))
    before = await world.state()
    tried = 0
    for route in ROUTES:
        for change in ("", world.theirs.ids["stored"]) if "{change}" in route.path else ("",):
            answer = await world.call(route, world.theirs, token, change)
            tried += 1
            assert canary(THEIRS).encode() not in answer.body, (route.name, answer.body)
            if route.name in PUBLIC | ABOUT_ONESELF | SHARED:
                continue
            if route.name in LISTS:
                assert answer.status in {200, 403}, (route.name, answer.body)
                assert THEIRS.encode() not in answer.body, (route.name, answer.body)
            elif route.name != "import_configs" or answer.status != 422:
                assert answer.status in {403, 404}, (route.name, change, answer.status, answer.body)
                assert _named(route) or THEIRS.encode() not in answer.body, (route.name, answer.body)
    assert tried >= len(ROUTES)
    assert await world.state() == before


async def test_who_may_see_nothing_at_all_is_let_in_nowhere(world: World) -> None:
    token = await world.api.member("nobody")
    for route in ROUTES:
        if route.name not in PUBLIC | ABOUT_ONESELF:
            answer = await world.call(route, world.ours, token)
            assert answer.status in {403, 404}, (route.name, answer.status, answer.body)


async def test_what_is_there_and_what_is_not_are_told_apart_by_nothing(world: World) -> None:
    token = await world.api.member("lead", ("admin", OURS))
    absent = Things(
        "nowhere",
        dict.fromkeys(world.theirs.ids, "00000000-0000-4000-8000-000000000000") | {"change": "999", "seq": "99999"},
    )
    for route in ROUTES:
        if route.name in PUBLIC | ABOUT_ONESELF | SHARED | LISTS or route.permission is None:
            continue
        there = await world.call(route, world.theirs, token)
        gone = await world.call(route, absent, token)
        assert there.status == gone.status, (route.name, there.body, gone.body)
        assert _told(there, world.theirs) == _told(gone, absent), route.name


def _told(answer: Answer, things: Things) -> Json:
    """A problem without the names that the caller gave."""
    problem = answer.document
    text = str(problem.get("detail", ""))
    for name in sorted((things.app_id, *things.ids.values()), key=len, reverse=True):
        text = text.replace(name, "…")
    return [problem.get("type"), text]


async def test_within_ones_own_everything_goes_on_as_ever(world: World) -> None:
    api, token = world.api, await world.api.member("lead", ("admin", OURS))
    place = {"app_id": OURS, "environment": "prod"}
    assert [each["app_id"] for each in (await api.get("/apps", token=token)).document["items"]] == [OURS]
    assert len((await api.get("/configs", token=token)).document["items"]) == 4
    fetched = (await api.post("/configs/fetch", place, token=token)).document["configs"]
    assert set(fetched) == {"a", "password", "r", "billing.plain"}
    assert fetched["r"]["value"] == canary(OURS)
    found = (await api.get("/search?q=canary", token=token)).document["items"]
    assert {each["app_id"] for each in found} == {OURS}
    made = await api.post("/configs", {**place, "key": "new", "value": 1}, token=token)
    assert made.status == 201
    assert (
        await api.put(f"/configs/{made.document['id']}", {"value": 2}, token=token, headers={"If-Match": '"1"'})
    ).status == 200
    operations = [{"op": "put", "app_id": OURS, "key": "new", "value": 2}]
    assert (await api.post("/changes", {"operations": operations}, token=token)).status == 201
    started = await api.post(f"/rollouts/{world.ours.ids['rollouts']}/start", {}, token=token)
    assert (started.status, started.document["phase"]) == (200, "progressing")
    assert (await api.get(f"/audit/{world.ours.ids['seq']}", token=token)).status == 200
    revert = await api.post(
        f"/changes/{world.ours.ids['change']}/revert", {"keys": "skip_moved", "force": {"reason": "x"}}, token=token
    )
    assert revert.status in {201, 409}, revert.body
    assert (await api.get(f"/export?app_id={OURS}", token=token)).status == 200
    assert (await api.post(f"/apps/{OURS}/environments", {"environment": "dev"}, token=token)).status == 201


async def test_a_change_that_touches_both_is_refused_and_shown_in_part(world: World) -> None:
    api, token = world.api, await world.api.member("lead", ("publisher", OURS))
    mixed = [{"op": "put", "app_id": each, "key": "both", "value": each} for each in (OURS, THEIRS)]
    refused = await api.post("/changes", {"operations": mixed}, token=token)
    assert (refused.status, refused.document["permission"]) == (403, "configs.write")
    made = (await api.post("/changes", {"operations": mixed, "message": "both"})).document
    shown = (await api.get(f"/changes/{made['revision']}", token=token)).document
    assert [each["app_id"] for each in shown["operations"]] == [OURS]
    assert THEIRS not in str(shown)
    assert (await api.post(f"/changes/{made['revision']}/revert", {}, token=token)).status == 403
    stored = (await api.post("/changes", {"operations": mixed, "mode": "submit"})).document["id"]
    for action in ("approve", "reject", "commit", "submit", "withdraw"):
        assert (await api.post(f"/changes/{stored}/{action}", {}, token=token)).status == 403, action


@pytest.mark.parametrize("action", ["commit", "approve", "schedule", "submit"])
async def test_a_change_is_not_made_into_another_one_while_it_is_judged(
    world: World, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    """By somebody who may write it, and lets another one, who may do more with a part of it, do that."""
    api, token = world.api, await world.api.member("lead", ("admin", OURS))
    ours, theirs = ({"op": "put", "app_id": each, "key": "late", "value": each} for each in (OURS, THEIRS))
    mode = "draft" if action == "submit" else "submit"
    stored = (await api.post("/changes", {"operations": [ours], "mode": mode})).document["id"]
    act = getattr(Proposals, action)

    async def overtaken(*arguments: Any, **more: Any) -> Any:
        edited = await api.call("PATCH", f"/changes/{stored}", {"operations": [ours, theirs], "edition": 1})
        assert edited.status == 200, edited.body
        return await act(*arguments, **more)

    monkeypatch.setattr(Proposals, action, overtaken)
    body = {"scheduled_at": (api.services.clock.now() + timedelta(hours=1)).isoformat()} if action == "schedule" else {}
    answer = await api.post(f"/changes/{stored}/{action}", body, token=token)
    assert (answer.status, answer.document["current_version"]) == (412, 2)
    shown = (await api.get(f"/changes/{stored}")).document
    assert (shown["state"], shown["life"]["approvals"]) == ("draft" if action == "submit" else "pending", [])


async def test_a_pattern_of_keys_is_as_far_as_it_goes(world: World) -> None:
    api, place = world.api, {"app_id": OURS, "environment": "prod"}
    token = await api.member("dba", ("publisher", f"{OURS}/prod/db.*"))
    assert (await api.post("/configs", {**place, "key": "db.pool", "value": 1}, token=token)).status == 201
    for body in (
        {**place, "key": "cache.ttl", "value": 1},
        {**place, "key": "db", "value": 1},
        {"app_id": OURS, "key": "db.pool", "value": 1},
        {"key": "db.pool", "value": 1},
    ):
        assert (await api.post("/configs", body, token=token)).status == 403, body
    assert set((await api.post("/configs/fetch", place, token=token)).document["configs"]) == {"db.pool"}
    assert [each["key"] for each in (await api.get("/configs", token=token)).document["items"]] == ["db.pool"]
    effective = (await api.get(f"/effective/{OURS}/prod", token=token)).document["items"]
    assert [each["key"] for each in effective] == ["db.pool"]
    assert (await api.get(f"/snapshots/{OURS}/prod", token=token)).status == 403
    assert (await api.get(f"/configs/{world.ours.ids['configs']}", token=token)).status == 404
    assert [each["app_id"] for each in (await api.get("/apps", token=token)).document["items"]] == [OURS]

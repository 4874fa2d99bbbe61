"""Plans of rollouts with a name, through the API."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from control_plane.domain.access.role import Role
from tests.rig.api import Api, serving_api

PLAN: dict[str, Any] = {
    "strategy": "percentage",
    "stages": [
        {"weight": 1_000, "after": "0s", "gates": [{"type": "bake", "seconds": 600}]},
        {"weight": 100_000, "after": "1h30m"},
    ],
}
CAREFUL = "/rollout-templates/careful"


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as opened:
        yield opened


async def test_a_template_is_kept_shown_replaced_and_forgotten(api: Api) -> None:
    made = await api.put(CAREFUL, {"plan": PLAN, "description": "Slowly.", "version": 0})
    assert (made.status, made.headers["ETag"], made.headers["Location"]) == (200, '"1"', f"/api/v1{CAREFUL}")
    assert (made.document["plan"], made.document["description"]) == (PLAN, "Slowly.")
    shown = await api.get(CAREFUL)
    assert (shown.document, (await api.get("/rollout-templates")).document["items"]) == (
        made.document,
        [shown.document],
    )
    assert (await api.get(CAREFUL, headers={"If-None-Match": '"1"'})).status == 304
    assert (await api.put(CAREFUL, {"plan": {"strategy": "canary"}, "version": 0})).document["current_version"] == 1
    replaced = await api.put(CAREFUL, {"plan": {"strategy": "canary"}}, headers={"If-Match": '"1"'})
    assert (replaced.status, replaced.document["version"]) == (200, 2)
    assert (await api.delete(CAREFUL, headers={"If-Match": '"1"'})).status == 412
    assert (await api.delete(f"{CAREFUL}?version=2")).status == 204
    assert (await api.get(CAREFUL)).status == 404


async def test_whoever_may_only_look_keeps_none(api: Api) -> None:
    vera, ed = await api.key("vera", Role.VIEWER), await api.key("ed", Role.EDITOR)
    assert (await api.put(CAREFUL, {"plan": PLAN}, token=vera)).status == 403
    assert (await api.put(CAREFUL, {"plan": PLAN}, token=ed)).status == 200
    assert (await api.get(CAREFUL, token=vera)).status == 200


@pytest.mark.parametrize(
    ("plan", "pointers"),
    [
        ({"strategy": "slowly"}, ["/plan/strategy"]),
        ({"speed": 1}, ["/plan/speed"]),
        ({"stages": []}, ["/plan/stages"]),
        ({"stages": [{"weight": 100_001, "after": "soon"}]}, ["/plan/stages/0/weight", "/plan/stages/0/after"]),
        ({"stages": [{"weight": 1, "after": 0, "at": "2030-01-31T08:00:00Z"}]}, ["/plan/stages/0"]),
        ({"stages": [{"weight": 1, "at": "2030-01-31T08:00:00"}]}, ["/plan/stages/0/at"]),
        ({"stages": [{"weight": 1, "gates": [{"type": "hope"}]}]}, ["/plan/stages/0/gates/0/type"]),
        ({"gates": [{"type": "bake", "seconds": -1}]}, ["/plan/gates/0/seconds"]),
        ({"when": {}}, ["/plan/when"]),
        ({"window": {"start": "2030-01-31T08:00:00"}}, ["/plan/window"]),
        ({"window": {"start": "2030-01-31T08:00:00Z", "end": "2030-01-31T09:00:00+01:00"}}, ["/plan/window"]),
        ({"window": {"time_zone": "Mars/Olympus"}}, ["/plan/window/time_zone"]),
        ({"follows": "-a"}, ["/plan/follows"]),
        ({"follows": {"config": "a", "values": ["\0"]}}, ["/plan/follows/values/0"]),
        ({"bucketing": "dice"}, ["/plan/bucketing"]),
    ],
    ids=lambda part: None if isinstance(part, list) else next(iter(part)),
)
async def test_what_is_wrong_with_a_plan_is_told_with_its_place(api: Api, plan: Any, pointers: list[str]) -> None:
    refused = await api.put(CAREFUL, {"plan": plan})
    assert (refused.status, refused.pointers) == (422, pointers)
    assert (await api.get(CAREFUL)).status == 404

"""A staged scope knows no special path: whatever writes there is refused unless it is a rollout, or breaks the glass."""

from collections.abc import AsyncIterator

import pytest

from tests.rig.api import serving_api
from tests.rig.people import People, problem

PLACE = {"app_id": "shop", "environment": "prod"}
FLAG = {"variants": {"on": True, "off": False}, "default": "on", "on": False}
SEGMENT = {"when": {"attribute": "country", "op": "eq", "values": ["SE"]}}
DOCUMENT = {
    "trimtab": 1,
    "apps": {"shop": {"configs": {}, "environments": {"prod": {"configs": {"a": {"value": 7}}}}}},
    "on_conflict": "overwrite",
}
PUT = {"op": "put", "app_id": "shop", "environment": "prod", "key": "a", "value": 2}


@pytest.fixture
async def people(migrated_url: str) -> AsyncIterator[People]:
    async with serving_api(migrated_url) as api:
        made = await People.at(api)
        await made.post("ada", "/changes", {"operations": [PUT | {"value": 1}]})
        yield made


async def stage(people: People, **staging: object) -> None:
    asked = {"name": "staged", "pattern": "shop/prod", "staging": {"gates": ["bake"], "bake": 60} | staging}
    made = await people.post("ada", "/policies", asked)
    assert made.status == 201, made.body
    assert made.document["staging"]["gates"] == ["bake"]


async def test_every_path_to_a_staged_scope_is_refused(people: People) -> None:
    await stage(people)
    config = (await people.api.get("/configs?app_id=shop")).document["items"][0]
    headers, token = {"If-Match": f'"{config["version"]}"'}, people.tokens["ada"]
    path = f"/configs/{config['id']}"
    revision = config["revision"]
    attempts = [
        await people.post("ada", "/changes", {"operations": [PUT]}),
        await people.post("ada", "/changes", {"operations": [PUT], "mode": "submit"}),
        await people.post("ada", "/changes", {"operations": [PUT | {"environment": None}]}),
        await people.post("ada", "/changes", {"operations": [{"op": "put", "key": "a", "value": 2}]}),
        await people.post("ada", "/configs", {"app_id": "shop", "environment": "prod", "key": "new", "value": 1}),
        await people.post("ada", "/changes", {"operations": [PUT | {"key": "s", "sensitive": True}]}),
        await people.api.put(path, {"value": 2}, headers=headers, token=token),
        await people.api.delete(path, headers=headers, token=token),
        await people.post("ada", f"/changes/{revision}/revert", {}),
        await people.post("ada", "/configs", PLACE | {"key": "f", "flag": FLAG}),
        await people.post("ada", "/changes", {"operations": [{"op": "put", **PLACE, "key": "s", "segment": SEGMENT}]}),
        await people.post("ada", "/import", DOCUMENT),
    ]
    assert [(each.status, problem(each)) for each in attempts] == [(409, "staging-required")] * len(attempts)
    told = attempts[0].document
    assert (told["policies"], told["required_gates"], told["required_bake"]) == (["staged"], ["bake"], 60)
    assert "rollout" in told["hint"]
    assert (await people.api.get(path)).document["version"] == config["version"]


async def test_a_preview_says_that_it_has_to_go_as_a_rollout(people: People) -> None:
    await stage(people)
    seen = (await people.post("ada", "/changes/preview", {"operations": [PUT]})).document
    assert not seen["would_commit"]
    assert [each["kind"] for each in seen["obstacles"]] == ["staging"]


async def test_breaking_the_glass_commits_it_and_opens_a_review_that_names_the_policy(people: People) -> None:
    await stage(people)
    broken = {"operations": [PUT], "message": "now", "break_glass": {"reason": "fire"}}
    assert (await people.post("ada", "/changes", broken)).status == 201
    [review] = (await people.api.get("/reviews?state=open")).document["items"]
    assert review["policies"] == ["staged"]


async def test_what_does_not_reach_the_staged_scope_is_committed_as_ever(people: People) -> None:
    await stage(people)
    await people.api.post("/apps/shop/environments", {"environment": "dev"})
    assert (await people.post("ada", "/changes", {"operations": [PUT | {"environment": "dev"}]})).status == 201


async def test_a_policy_cannot_ask_for_what_there_is_not(people: People) -> None:
    asked = {"name": "staged", "pattern": "shop/prod", "staging": {"gates": ["luck"], "strategies": []}}
    refused = await people.post("ada", "/policies", asked)
    pointers = [each["pointer"] for each in refused.document["violations"]]
    assert (refused.status, pointers) == (422, ["/staging/gates/0", "/staging/strategies"])

"""What agents report about candidates over HTTP: counted once, and only of rollouts that concern them."""

from typing import Any
from uuid import UUID

from tests.rig.api import Api, serving_api

PLACE = {"app_id": "shop", "environment": "prod"}


def report(rollout: str, sequence: int = 1, instance: str = "i-1", app_id: str = "shop", life: str = "a1") -> Any:
    health = {"status": "unhealthy", "since": 1, "detail": "503", "exposed": [{"rollout": rollout, "step": 0}]}
    return {
        "instance": instance, "app_id": app_id, "environment": "prod", "agent_version": "1", "state": "live",
        "revisions": {"global": 0, "app": 0, "environment": 1}, "transport": "sse", "health": "unhealthy",
        "evidence": {"incarnation": life, "sequence": sequence, "health": health},
    }  # fmt: skip


async def exposed(api: Api) -> str:
    await api.post("/configs", {**PLACE, "key": "k", "value": 1})
    asked = {**PLACE, "key": "k", "candidate": 2, "strategy": "user_targeting", "users": ["ada"], "start": True}
    return str((await api.post("/rollouts", asked)).document["id"])


async def unhealthy(api: Api, rollout: str) -> list[str]:
    said = await api.services.evidences._evidence.health(UUID(rollout))
    return [f"{each.app_id}/{each.instance}" for each in said]


async def test_an_agent_speaks_of_the_rollouts_of_its_own_application_only(migrated_url: str) -> None:
    async with serving_api(migrated_url) as api:
        own, other = await api.register("shop"), await api.register("billing")
        rollout = await exposed(api)
        assert (await api.post("/agents/report", report(rollout, app_id="billing"), token=other)).status == 200
        assert await unhealthy(api, rollout) == []
        assert (await api.post("/agents/report", report(rollout, app_id="billing"), token=own)).status == 403
        assert (await api.post("/agents/report", report(rollout), token=own)).status == 200
        assert await unhealthy(api, rollout) == ["shop/i-1"]
        nobody = "0b3a4c1e-0000-4000-8000-000000000001"
        assert (await api.post("/agents/report", report(nobody, 2), token=own)).status == 200
        assert await unhealthy(api, nobody) == []
        [agent] = (await api.get("/agents?app_id=shop")).document["items"]
        assert agent["health"] == "unhealthy"


async def test_a_restarted_agent_is_heard_whatever_its_clock_says(migrated_url: str) -> None:
    async with serving_api(migrated_url) as api:
        token = await api.register("shop")
        rollout = await exposed(api)
        well = report(rollout, 1, life="b2")
        well["evidence"]["health"]["status"] = "healthy"
        assert (await api.post("/agents/report", report(rollout, 900), token=token)).status == 200
        assert (await api.post("/agents/report", well, token=token)).status == 200
        shown = (await api.get(f"/rollouts/{rollout}")).document
        assert (shown["numbers"]["health"]["healthy"], shown["numbers"]["health"]["unhealthy"]) == (1, 0)


async def test_evidence_that_no_agent_sends_is_refused(migrated_url: str) -> None:
    async with serving_api(migrated_url) as api:
        token = await api.register("shop")
        for wrong in (
            {"incarnation": "", "sequence": 1},
            {"incarnation": "a b", "sequence": 1},
            {"incarnation": "a", "sequence": -1},
            {"incarnation": "a", "sequence": 1, "outcomes": [{"rollout": "x"}]},
        ):
            refused = await api.post("/agents/report", report("x") | {"evidence": wrong}, token=token)
            assert refused.status == 422, wrong

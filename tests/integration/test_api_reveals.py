"""Agents that were given secrets are in the audit chain; readers of anything else are not."""

from control_plane.domain.attribution import Attribution
from control_plane.services.reveals import ONCE_IN, TOLD, Reveals
from tests.fakes.clock import ManualClock
from tests.rig.api import serving_api

ACTION = "/audit?action=secrets.read"


async def test_a_token_that_is_given_secrets_is_recorded_once(migrated_url: str) -> None:
    async with serving_api(migrated_url) as api:
        token = await api.register()
        place = {"app_id": "shop", "environment": "prod"}
        plain = {"op": "put", "key": "a", "value": 1, **place}
        await api.post("/changes", {"operations": [plain]})
        await api.get("/snapshots/shop/prod", token=token)
        await api.services.reveals.tell()
        assert (await api.get(ACTION)).document["items"] == []
        secret = {"op": "put", "key": "password", "value": "hunter2", "sensitive": True, **place}
        await api.post("/changes", {"operations": [secret]})
        await api.get("/snapshots/shop/prod")
        for _ in range(3):
            await api.get("/snapshots/shop/prod", token=token)
            await api.services.reveals.tell()
        answer = await api.get(f"{ACTION}&app_id=shop&environment=prod")
        (record,) = answer.document["items"]
        assert (record["actor"].partition(":")[0], record["object"]) == ("agent", "env.shop.prod")
        assert b"hunter" not in answer.body

        clock = ManualClock()
        reveals = Reveals(api.services.audit, clock)
        for number in range(TOLD + 5):
            reveals.add(Attribution(f"agent:{number}"), "shop", "prod")
        await reveals.tell()
        assert len((await api.get(ACTION)).document["items"]) == TOLD + 1
        for _ in range(2):
            await reveals.tell()
        assert len((await api.get(ACTION)).document["items"]) == TOLD + 6
        clock.advance(ONCE_IN)
        reveals.add(Attribution("agent:1"), "shop", "prod")
        await reveals.tell()
        assert len((await api.get("/audit?actor=agent:1")).document["items"]) == 2

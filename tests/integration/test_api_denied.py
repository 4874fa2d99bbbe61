"""Who is turned away: recorded if known, with the address that can be believed."""

from control_plane.domain.access.role import Role
from control_plane.domain.proxies import TrustedProxies
from tests.rig.api import serving_api


async def test_a_denial_is_recorded_with_what_was_asked_for(migrated_url: str) -> None:
    async with serving_api(migrated_url) as api:
        await api.register()
        vera = await api.key("vera", Role.VIEWER)
        for _ in range(5):
            assert (await api.post("/apps/shop/environments", {"environment": "dev"}, token=vera)).status == 403
        assert (await api.get("/audit", token=vera)).status == 403
        assert (await api.get("/audit", token="nonsense")).status == 401
        assert (await api.get("/audit", token=None)).status == 401
        records = (await api.get("/audit?outcome=denied")).document["items"]
        assert [(each["action"], each["object"]) for each in records] == [
            ("audit.read", "GET /api/v1/audit"),
            ("apps.write", "POST /api/v1/apps/{app}/environments"),
        ]
        assert records[1]["role"] == "viewer"
        assert records[1]["detail"]["app_id"] == "shop"
        assert [each["seq"] for each in (await api.get("/audit?app_id=shop&outcome=denied")).document["items"]] == [
            records[1]["seq"]
        ]
        await api.services.denials.tell(everything=True)
        told = (await api.get("/audit?outcome=denied")).document["items"][0]
        assert told["detail"]["count"] == 4
        assert (await api.get("/audit/verify")).document["intact"]


async def test_an_agent_that_asks_for_another_environment_is_recorded(migrated_url: str) -> None:
    async with serving_api(migrated_url) as api:
        token = await api.register("shop", "prod")
        await api.register("shop", "dev")
        assert (await api.get("/snapshots/shop/dev", token=token)).status == 403
        (record,) = (await api.get("/audit?outcome=denied&app_id=shop&environment=dev")).document["items"]
        assert record["actor"].startswith("agent:")
        assert record["action"] == "snapshots.read"


async def test_the_address_is_the_proxys_word_only_where_the_proxy_is_trusted(migrated_url: str) -> None:
    sent = {"X-Forwarded-For": "6.6.6.6, 198.51.100.7", "Forwarded": "for=7.7.7.7"}
    async with serving_api(migrated_url) as api:
        await api.post("/apps", {"app_id": "one"}, headers=sent)
    async with serving_api(migrated_url, proxies=TrustedProxies.parse("127.0.0.0/8")) as api:
        await api.post("/apps", {"app_id": "two"}, headers=sent)
        await api.post("/apps", {"app_id": "three"})
        records = (await api.get("/audit?action=app.created")).document["items"]
    assert [each["address"] for each in records] == ["127.0.0.1", "198.51.100.7", "127.0.0.1"]

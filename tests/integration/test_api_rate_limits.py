"""Who asks too often is told so, in the standard's words, and nobody else is."""

import pytest

from control_plane.domain.access.role import Role
from control_plane.domain.proxies import TrustedProxies
from tests.rig.api import Answer, serving_api


def limited(answer: Answer, kind: str) -> None:
    assert answer.status == 429
    assert answer.document["type"].endswith("/rate-limited")
    assert answer.document["limit"] == kind
    assert int(answer.headers["Retry-After"]) == answer.document["retry_after"] >= 1
    assert answer.headers["RateLimit"].startswith(f'"{kind}";r=0;t=')


async def test_every_answer_says_what_is_left(migrated_url: str) -> None:
    async with serving_api(migrated_url, rate_reads="10/m:3", rate_writes="10/m:2") as api:
        answers = [await api.get("/apps") for _ in range(3)]
        assert [each.headers["RateLimit"] for each in answers] == [
            '"reads";r=2;t=6',
            '"reads";r=1;t=12',
            '"reads";r=0;t=18',
        ]
        assert {each.headers["RateLimit-Policy"] for each in answers} == {'"reads";q=3;w=18'}
        limited(await api.get("/apps"), "reads")
        assert (await api.post("/apps", {"app_id": "shop"})).headers["RateLimit"].startswith('"writes";r=1')
        assert (await api.call("GET", "//healthz", token=None)).status == 200


async def test_one_principal_does_not_use_up_what_another_has(migrated_url: str) -> None:
    async with serving_api(migrated_url, rate_reads="1/m:1") as api:
        viewer = await api.key("vic", Role.VIEWER)
        assert (await api.get("/apps")).status == 200
        limited(await api.get("/apps"), "reads")
        assert (await api.get("/apps", token=viewer)).status == 200
        limited(await api.get("/apps", token=viewer), "reads")


async def test_what_is_refused_changes_nothing(migrated_url: str) -> None:
    async with serving_api(migrated_url, rate_writes="1/m:1") as api:
        assert (await api.post("/apps", {"app_id": "shop"})).status == 201
        limited(await api.post("/apps", {"app_id": "cart"}), "writes")
        assert [each["app_id"] for each in (await api.get("/apps")).document["items"]] == ["shop"]


async def test_a_caller_who_may_not_is_counted_as_well(migrated_url: str) -> None:
    async with serving_api(migrated_url, rate_writes="1/m:2") as api:
        viewer = await api.key("vic", Role.VIEWER)
        for _ in range(2):
            assert (await api.post("/apps", {"app_id": "shop"}, token=viewer)).status == 403
        limited(await api.post("/apps", {"app_id": "shop"}, token=viewer), "writes")


async def test_guessing_is_refused_before_anybody_looks_but_not_whom_one_knows(migrated_url: str) -> None:
    async with serving_api(migrated_url, rate_refusals="1/m:5") as api:
        assert (await api.get("/apps")).status == 200
        late = await api.key("late", Role.VIEWER)
        for number in range(5):
            assert (await api.get("/apps", token=f"guess-{number}")).status == 401
        for number in range(5):
            limited(await api.get("/apps", token=f"other-{number}"), "refusals")
        assert (await api.get("/apps")).status == 200
        limited(await api.get("/apps", token=late), "refusals")


async def test_addresses_are_what_trusted_proxies_say(migrated_url: str) -> None:
    proxies = TrustedProxies.parse("127.0.0.1")
    async with serving_api(migrated_url, proxies=proxies, rate_addresses="1/m:1") as api:
        for address in ("192.0.2.1", "192.0.2.2", "2001:db8::1"):
            assert (await api.get("/apps", headers={"X-Forwarded-For": address})).status == 200
            limited(await api.get("/apps", headers={"X-Forwarded-For": address}), "addresses")
        limited(await api.get("/apps", headers={"X-Forwarded-For": "2001:db8::2"}), "addresses")


async def test_a_header_of_nobody_we_trust_makes_no_new_address(migrated_url: str) -> None:
    async with serving_api(migrated_url, rate_addresses="1/m:1") as api:
        assert (await api.get("/apps", headers={"X-Forwarded-For": "192.0.2.1"})).status == 200
        limited(await api.get("/apps", headers={"X-Forwarded-For": "192.0.2.2"}), "addresses")


async def test_agents_have_a_limit_of_their_own(migrated_url: str) -> None:
    async with serving_api(migrated_url, rate_agents="1/m:2", rate_addresses="1/m:5") as api:
        agent = await api.register()
        for _ in range(2):
            assert (await api.get("/snapshots/shop/prod", token=agent)).status == 200
        limited(await api.get("/snapshots/shop/prod", token=agent), "agents")


@pytest.mark.parametrize("replicas", [2])
async def test_replicas_count_together(migrated_url: str, redis_url: str, replicas: int) -> None:
    async with (
        serving_api(migrated_url, redis_url=redis_url, rate_reads="1/m:3") as one,
        serving_api(migrated_url, redis_url=redis_url, rate_reads="1/m:3") as other,
    ):
        token = other.operator  # the bootstrap operator's token is the one that was given last
        assert replicas == 2
        for each in (one, other, one):
            assert (await each.get("/apps", token=token)).status == 200
        for each in (one, other):
            limited(await each.get("/apps", token=token), "reads")


async def test_without_limits_nothing_is_told(migrated_url: str) -> None:
    off = {f"rate_{each}": "off" for each in ("reads", "writes", "agents", "addresses", "refusals")}
    async with serving_api(migrated_url, **off) as api:
        assert "RateLimit" not in (await api.get("/apps")).headers
        assert (await api.get("/apps", token="nobody")).status == 401

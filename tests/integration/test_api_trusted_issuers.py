"""Machines that others vouch for: CI jobs and agents in Kubernetes, with tokens of a real signature and a false issuer."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_plane.domain.access.trust import Rule
from control_plane.settings.issuers import read_issuers
from control_plane.settings.load import SettingsError, load_settings
from shared.domain.codec import decode, encode
from tests.fakes.identity_provider import FakeProvider, fake_provider
from tests.rig.api import Api, serving_api

pytestmark = pytest.mark.integration
AUDIENCE = "https://trimtab.example"
JOB = {"repository": "acme/shop", "ref": "refs/heads/main", "sub": "repo:acme/shop:ref:refs/heads/main"}
POD = {"sub": "system:serviceaccount:shop:server", "kubernetes.io": {"pod": {"name": "server-1"}}}
RULES = [
    {
        "claims": {"repository": "acme/shop", "ref": "refs/heads/main"},
        "roles": [{"role": "publisher", "reach": "shop/prod"}],
    },
    {"claims": {"repository": "acme/*", "ref": ["refs/heads/*", "refs/tags/*"]}, "groups": ["ci"]},
    {
        "claims": {"sub": "system:serviceaccount:shop:*"},
        "agent": {"app_id": "shop", "environment": "prod", "instance_claim": "/kubernetes.io/pod/name"},
    },
]


@dataclass
class World:
    """An installation that trusts an issuer."""

    api: Api
    issuer: FakeProvider

    def token(self, claims: dict[str, Any], **more: Any) -> str:
        """What the issuer gives a job; `more` are claims, None takes one away."""
        now = int(time.time())  # noqa: TID251 - an issuer's own clock
        said = {"iss": self.issuer.issuer, "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + 300, **claims, **more}
        return self.issuer.sign({name: each for name, each in said.items() if each is not None})

    async def status(self, token: str, path: str = "/auth/whoami") -> int:
        return (await self.api.get(path, token=token)).status


def written(path: Path, url: str, **more: Any) -> str:
    file = path / "issuers.json"
    file.write_bytes(encode([{"name": "ci", "issuer": url, "audience": AUDIENCE, "rules": RULES, **more}]))
    return str(file)


@pytest.fixture
async def world(migrated_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with (
        fake_provider() as issuer,
        serving_api(migrated_url, trusted_issuers_file=written(tmp_path, issuer.issuer)) as api,
    ):
        await api.register()
        yield World(api, issuer)


async def test_a_job_does_what_its_claims_allow_and_is_named_in_the_records(world: World) -> None:
    token = world.token(JOB)
    put = {"op": "put", "app_id": "shop", "environment": "prod", "key": "a", "value": 1}
    made = await world.api.post("/changes", {"message": "by a job", "operations": [put]}, token=token)
    assert made.status == 201, made.body
    [record] = (await world.api.get("/audit?limit=1")).document["items"]
    assert (record["actor"], record["role"]) == (f"ci:{JOB['sub']}", "publisher")
    refused = await world.api.post(
        "/changes", {"message": "elsewhere", "operations": [put | {"environment": None}]}, token=token
    )
    assert refused.status == 403


async def test_the_first_rule_that_fits_decides_and_groups_get_what_is_bound_to_them(world: World) -> None:
    other = world.token(JOB, repository="acme/other")
    assert await world.status(other, "/apps") == 403
    bound = {"subject": "group:ci", "role": "viewer", "reach": "global"}
    assert (await world.api.post("/role-bindings", bound)).status == 201
    assert await world.status(world.token(JOB, repository="acme/third"), "/configs") == 200
    who = (await world.api.get("/auth/whoami", token=world.token(JOB))).document
    assert who["id"] == f"ci:{JOB['sub']}"


WRONG: list[dict[str, Any]] = [
    {"repository": "evil/shop"},
    {"repository": "acme/shop/more"},
    {"repository": ["evil/shop"]},
    {"repository": None},
    {"ref": "refs/heads/a/b"},
    {"ref": "REFS/heads/main"},
    {"aud": "https://another.example"},
    {"aud": None},
    {"iss": "https://token.actions.githubusercontent.com"},
    {"sub": None},
    {"sub": "with space"},
    {"sub": 7},
    {"exp": 1},
    {"exp": None},
    {"exp": 10**12},
    {"iat": 10**12},
    {"iat": None},
    {"nbf": 10**12},
]


async def test_whom_nobody_vouches_for_is_nobody(world: World) -> None:
    for wrong in WRONG:
        assert await world.status(world.token(JOB, **wrong)) == 401, wrong


async def test_only_the_issuers_own_keys_sign(world: World) -> None:
    good = world.token(JOB)
    world.issuer.rotate(publish=False)
    assert await world.status(world.token(JOB)) == 401
    header, body, signature = good.split(".")
    assert await world.status(f"{header}.{body}.{signature[:-4]}AAAA") == 401
    assert await world.status(f"{header}.{body}.") == 401
    assert await world.status(good) == 200


async def test_a_job_that_was_revoked_is_out_at_once(world: World) -> None:
    token = world.token(JOB, jti="4711")
    assert await world.status(token) == 200
    assert (await world.api.post("/revocations", {"subject": "token:4711"})).status == 201
    assert (await world.status(token), await world.status(world.token(JOB))) == (401, 200)
    await world.api.post("/revocations", {"subject": f"principal:ci:{JOB['sub']}"})
    assert await world.status(world.token(JOB)) == 401


async def test_a_pod_enrols_as_itself_and_as_nobody_else(world: World) -> None:
    token = world.token(POD)
    other = await world.api.post("/agents/enrol", {"instance": "server-2"}, token=token)
    assert other.status == 403
    made = await world.api.post("/agents/enrol", {"instance": "server-1"}, token=token)
    assert made.status == 200, made.body
    own = made.document["credential"]
    assert await world.status(own, "/snapshots/shop/prod") == 200
    assert await world.status(own, "/configs") == 403
    assert await world.status(world.token(POD, **{"kubernetes.io": {}})) == 401
    await world.api.post("/revocations", {"subject": f"credential:ci:{POD['sub']}"})
    assert await world.status(own, "/snapshots/shop/prod") == 401


async def test_without_the_issuer_known_keys_are_used_on_and_others_cost_one_question(world: World) -> None:
    good = world.token(JOB)
    assert await world.status(good) == 200
    asked = world.issuer.asked_for_keys
    world.issuer.rotate()
    for _ in range(5):
        assert await world.status(world.token(JOB)) == 401  # asked a moment ago
    assert world.issuer.asked_for_keys == asked
    assert await world.status(good) == 200


async def test_an_issuer_that_is_away_is_said_so_and_is_not_asked_each_time(migrated_url: str, tmp_path: Path) -> None:
    async with fake_provider() as issuer:
        file = written(tmp_path, issuer.issuer)
        async with serving_api(migrated_url, trusted_issuers_file=file) as api:
            world, issuer.broken = World(api, issuer), 500
            assert [await world.status(world.token(JOB)) for _ in range(3)] == [503] * 3
            assert issuer.asked_for_keys == 0


async def test_keys_can_be_in_a_file(migrated_url: str, tmp_path: Path) -> None:
    async with fake_provider() as issuer:
        keys = tmp_path / "keys.json"
        answer = await issuer._keys(None)  # type: ignore[arg-type]  # it asks nothing of the request
        assert isinstance(answer, web.Response)
        keys.write_bytes(answer.body)  # type: ignore[arg-type]  # bytes
        named = issuer.issuer
        file = written(tmp_path, named, keys_file=str(keys))
        async with serving_api(migrated_url, trusted_issuers_file=file) as api:
            issuer.broken = 500
            assert await World(api, issuer).status(World(api, issuer).token(JOB)) == 200


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"issuer": "http://ci.example"}, "https://"),
        ({"audience": ""}, "audience"),
        ({"name": "agents"}, "reserved"),
        ({"rules": []}, "rules"),
        ({"rules": [{"claims": {}, "groups": ["a"]}]}, "claims"),
        ({"rules": [{"claims": {"sub": "*"}, "groups": ["a"]}]}, "more than *"),
        ({"rules": [{"claims": {"sub": []}, "groups": ["a"]}]}, "each claim"),
        ({"rules": [{"claims": {"sub": "a"}}]}, "roles or groups"),
        ({"rules": [{"claims": {"sub": "a"}, "roles": [{"role": "operator", "reach": "global"}]}]}, "role"),
        ({"rules": [{"claims": {"sub": "a"}, "agent": {"app_id": "*", "environment": "prod"}}]}, "exactly"),
        ({"unknown": 1}, "unknown"),
    ],
    ids=str,
)
def test_a_file_that_trusts_too_much_or_nobody_is_no_setting(tmp_path: Path, wrong: dict[str, Any], told: str) -> None:
    file = written(tmp_path, "https://ci.example", **wrong)
    with pytest.raises(SettingsError) as raised:
        load_settings({"TRIMTAB_DATABASE_URL": "postgresql://x/y", "TRIMTAB_TRUSTED_ISSUERS_FILE": file})
    assert told in str(raised.value)


def test_a_file_that_is_not_there_or_no_json_is_no_setting(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("[")
    for name in ("bad.json", "none.json"):
        with pytest.raises(SettingsError):
            load_settings({}, database_url="postgresql://x/y", trusted_issuers_file=str(tmp_path / name))


_WORDS = st.text(alphabet="ab*/:.\n", min_size=1, max_size=12)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_WORDS.filter(lambda text: text.count("*") <= 2), _WORDS)
def test_without_a_star_only_the_same_fits_and_a_star_crosses_no_part(pattern: str, text: str) -> None:
    fits = Rule({"sub": (pattern,)}).fits(decode(encode({"sub": text})))
    if "*" not in pattern:
        assert fits == (pattern == text)
    if fits:
        assert [text.count(each) for each in "/:"] == [pattern.count(each) for each in "/:"]


def test_the_example_of_the_page_is_a_file_that_can_be_used(tmp_path: Path) -> None:
    page = Path("docs/machine-identity.md").read_text(encoding="utf-8")
    [example] = [each for each in page.split("```json\n")[1:] if each.startswith("[")]
    file = tmp_path / "issuers.json"
    file.write_text(example.partition("```")[0])
    github, kubernetes = read_issuers(str(file))
    other = {"repository": "evil/shop", "ref": "refs/heads/main", "repository_owner": "evil"}
    assert [github.rules[0].fits(each) for each in (JOB, other)] == [True, False]
    assert kubernetes.rules[0].fits({"sub": "system:serviceaccount:shop:server"})
    assert not any(each.fits(other) for each in (*github.rules, *kubernetes.rules))

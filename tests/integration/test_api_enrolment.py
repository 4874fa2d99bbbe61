"""Agents get credentials of their own: bound to one instance, renewed, and ended at once, on every replica."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import anyio
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.domain.access.role import Role
from control_plane.domain.keys import Purpose
from control_plane.services.identity.presented import ClientCertificate, Presented
from shared.domain.codec import decode, encode
from tests.rig.api import Api, serving_api

pytestmark = pytest.mark.integration
SNAPSHOT = "/snapshots/shop/prod"


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as opened:
        yield opened


async def enrolled(api: Api, token: str, instance: str = "one") -> Any:
    answer = await api.post("/agents/enrol", {"instance": instance}, token=token)
    assert answer.status == 200, answer.body
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.document


async def until_refused(api: Api, path: str, token: str) -> None:
    with anyio.fail_after(10):
        while (await api.get(path, token=token)).status != 401:
            await anyio.sleep(0.05)


async def test_an_enrolled_agent_does_with_its_credential_what_its_token_could_and_nothing_else(api: Api) -> None:
    token = await api.register()
    made = await enrolled(api, token)
    own = made["credential"]
    assert (await api.get(SNAPSHOT, token=own)).status == 200
    assert 3_500 < made["expires_in"] <= 3_600
    assert len(made["signing_keys"]) == 1
    await api.post("/apps/shop/environments", {"environment": "dev"})
    for path in ("/snapshots/shop/dev", "/configs", "/api-keys", "/agents"):
        assert (await api.get(path, token=own)).status == 403, path


async def test_a_credential_is_renewed_by_itself_and_belongs_to_its_instance(api: Api) -> None:
    token = await api.register()
    first = await enrolled(api, token)
    second = await enrolled(api, first["credential"])
    assert second["id"] != first["id"]
    assert (await api.get(SNAPSHOT, token=second["credential"])).status == 200
    other = await api.post("/agents/enrol", {"instance": "two"}, token=first["credential"])
    assert (other.status, "another instance" in other.document["detail"]) == (403, True)
    assert (await api.post("/agents/enrol", {"instance": "one"})).status == 403


async def test_who_must_enrol_uses_an_agent_token_for_nothing_else(migrated_url: str) -> None:
    async with serving_api(migrated_url, agent_enrolment="required") as api:
        token = await api.register()
        refused = await api.get(SNAPSHOT, token=token)
        assert (refused.status, "agents/enrol" in refused.document["detail"]) == (403, True)
        own = (await enrolled(api, token))["credential"]
        assert (await api.get(SNAPSHOT, token=own)).status == 200


async def test_revoking_an_agent_token_ends_what_was_given_for_it_here_and_at_other_replicas(migrated_url: str) -> None:
    async with serving_api(migrated_url) as api, serving_api(migrated_url, bootstrap_token="") as other:
        token = await api.register()
        own = (await enrolled(api, token))["credential"]
        renewed = (await enrolled(other, own))["credential"]
        assert (await other.get(SNAPSHOT, token=renewed)).status == 200
        made = (await api.get("/apps/shop/environments/prod/agent-tokens")).document["items"]
        assert (await api.delete(f"/apps/shop/environments/prod/agent-tokens/{made[0]['id']}")).status == 204
        assert (await api.get(SNAPSHOT, token=renewed)).status == 401
        async with anyio.create_task_group() as group:
            await group.start(other.services.revoking.run)
            await until_refused(other, SNAPSHOT, renewed)
            group.cancel_scope.cancel()


async def test_nobody_escapes_by_renewing_where_a_revocation_is_not_known_yet(migrated_url: str) -> None:
    async with serving_api(migrated_url) as api, serving_api(migrated_url, bootstrap_token="") as other:
        token = await api.register()
        [made] = (await api.get("/apps/shop/environments/prod/agent-tokens")).document["items"]
        kept = [(await enrolled(other, token, each))["credential"] for each in ("one", "two")]
        await api.post("/revocations", {"subject": "agent:shop/prod/one"})
        await api.delete(f"/apps/shop/environments/prod/agent-tokens/{made['id']}")
        later = int(api.services.clock.now().timestamp()) + 600
        late = {"kind": "agent", "app_id": "shop", "environment": "prod", "instance": "two", "cred": made["id"]}
        kept = [
            (await enrolled(other, each, name))["credential"] for each, name in zip(kept, ("one", "two"), strict=True)
        ]
        kept.append(forged(api, **late, iat=later, exp=later + 60))  # by one that was cut off for long
        async with anyio.create_task_group() as group:
            await group.start(other.services.revoking.run)
            for each in kept:
                await until_refused(other, SNAPSHOT, each)
                assert (await api.get(SNAPSHOT, token=each)).status == 401
                assert (await other.post("/agents/enrol", {"instance": "two"}, token=each)).status == 401
            group.cancel_scope.cancel()
        assert (await api.get(SNAPSHOT, token=forged(api, **late | {"cred": "another"}))).status == 200


async def test_an_agent_is_revoked_whatever_its_instance_is_called(api: Api) -> None:
    token = await api.register()
    for name in ("Küche 3", "a/b", "line\nbreak", "x" * 1_000):
        own = (await enrolled(api, token, name))["credential"]
        made = await api.post("/revocations", {"subject": f"agent:shop/prod/{name}"})
        assert made.status == 201, made.body
        assert (await api.get(SNAPSHOT, token=own)).status == 401
    for wrong in ("agent:shop/prod/", "agent:shop/prod/a\0", "agent:shop/prod/" + "ü" * 1_400, "token:a b"):
        assert (await api.post("/revocations", {"subject": wrong})).status == 422, wrong


async def test_one_agent_is_revoked_and_others_go_on(api: Api) -> None:
    token = await api.register()
    one, two = [(await enrolled(api, token, each))["credential"] for each in ("one", "two")]
    answer = await api.post("/revocations", {"subject": "agent:shop/prod/one", "reason": "stolen"})
    assert answer.status == 201
    assert (await api.get(SNAPSHOT, token=one)).status == 401
    assert (await api.get(SNAPSHOT, token=two)).status == 200
    assert [each["subject"] for each in (await api.get("/revocations")).document["items"]] == ["agent:shop/prod/one"]
    records = (await api.get("/audit?action=token.revoked")).document["items"]
    assert [each["object"] for each in records] == ["agent:shop/prod/one"]
    assert (await api.post("/revocations", {"subject": "shop/prod"})).status == 422
    viewer = await api.key("vera", Role.VIEWER)
    assert (await api.post("/revocations", {"subject": "agent:shop/prod/two"}, token=viewer)).status == 403


async def test_a_signing_key_that_has_leaked_signs_for_nobody_any_more(api: Api) -> None:
    token = await api.register()
    old = (await enrolled(api, token))["credential"]
    assert (await api.post("/keys/rotate", {"what": "tokens"})).status == 200
    assert (await api.get(SNAPSHOT, token=old)).status == 200
    await api.post("/keys/rotate", {"what": "tokens", "at_once": True})
    assert (await api.get(SNAPSHOT, token=old)).status == 401
    new = (await enrolled(api, token))["credential"]
    assert (await api.get(SNAPSHOT, token=new)).status == 200
    kids = [each["kid"] for each in (await api.get("//.well-known/jwks.json", token=None)).document["keys"]]
    assert jwt.get_unverified_header(new)["kid"] in kids
    assert jwt.get_unverified_header(old)["kid"] not in kids


async def test_a_certificate_and_a_token_have_to_be_of_the_same_agent(api: Api) -> None:
    token = await api.register()
    own = (await enrolled(api, token))["credential"]
    access = api.services.access
    for uri, good in {
        "trimtab://agent/shop/prod": True,
        "trimtab://agent/shop/prod/one": True,
        "trimtab://agent/shop/prod/two": False,
        "trimtab://agent/shop/dev": False,
        "trimtab://agent/shop": False,
        "https://elsewhere.example": True,
    }.items():
        presented = Presented(own, certificate=ClientCertificate((uri,), "f"))
        if good:
            assert (await access.authenticate(presented)).app_id == "shop"
        else:
            with pytest.raises(Exception, match=r"^$"):
                await access.authenticate(presented)


def forged(api: Api, **claims: Any) -> str:
    """A token that is good but for what is given."""
    now = int(api.services.clock.now().timestamp())
    good = {
        "iss": "trimtab", "aud": "trimtab-api", "sub": "operator", "jti": "x", "cred": "y", "iat": now, "nbf": now,
        "exp": now + 60, "kind": "user", "groups": [], "grants": [{"role": "admin", "reach": "global", "source": ""}],
    }  # fmt: skip
    key = api.services.signing_keys.current(Purpose.TOKENS)
    signer, kid = claims.pop("signer", key.private), claims.pop("kid", key.kid)
    header = {"kid": kid, "typ": claims.pop("typ", "at+jwt")} | claims.pop("header", {})
    algorithm = claims.pop("alg", "EdDSA")
    told = {name: value for name, value in (good | claims).items() if value is not None}
    return jwt.encode(told, signer, algorithm, header)


async def test_only_tokens_that_are_ours_in_every_respect_are_taken(api: Api) -> None:
    assert (await api.get("/apps", token=forged(api))).status == 200
    now = int(api.services.clock.now().timestamp())
    raw = api.services.signing_keys.public(Purpose.TOKENS)[0].raw
    bad = {
        "another key": {"signer": Ed25519PrivateKey.generate()},
        "an unknown kid": {"kid": "nobody"},
        "no algorithm": {"signer": None, "alg": "none"},
        "a secret in the place of a key": {"signer": raw, "alg": "HS256"},
        "another type": {"typ": "JWT"},
        "a critical header": {"header": {"crit": ["b64"], "b64": False}},
        "another audience": {"aud": "trimtab"},
        "another issuer": {"iss": "https://elsewhere.example"},
        "over": {"exp": now - 1},
        "not yet": {"nbf": now + 60},
        "no end": {"exp": None},
        "no id": {"jti": None},
        "an unknown role": {"grants": [{"role": "god", "reach": "global", "source": ""}]},
        "a reach that is none": {"grants": [{"role": "admin", "reach": "a/b/c/d", "source": ""}]},
        "grants that are none": {"grants": "all"},
        "an unknown kind": {"kind": "ghost"},
        "an end beyond all time": {"exp": 10**30},
    }
    for name, claims in bad.items():
        assert (await api.get("/apps", token=forged(api, **claims))).status == 401, name


async def test_no_altered_token_is_taken_and_none_breaks_us(api: Api) -> None:
    good, access, taken = forged(api), api.services.access_tokens, 0
    parts = good.split(".")

    @settings(max_examples=300, deadline=None, derandomize=True, database=None)
    @given(st.data())
    def alter(data: st.DataObject) -> None:
        nonlocal taken
        which = data.draw(st.integers(0, 2))
        old = urlsafe_b64decode(parts[which] + "==")
        new = data.draw(
            st.one_of(
                st.binary(max_size=200), st.builds(encode, st.dictionaries(st.text(max_size=8), st.text(max_size=8)))
            )
        )
        cut = data.draw(st.integers(0, len(old)))
        altered = data.draw(st.sampled_from([new, old[:cut] + new, old[:cut], old + new]))
        token = ".".join([*parts[:which], urlsafe_b64encode(altered).rstrip(b"=").decode(), *parts[which + 1 :]])
        same = altered == old
        taken += same
        assert (access.told(token) is not None) == same

    alter()
    assert access.told(good) is not None
    assert decode(urlsafe_b64decode(parts[1] + "=="))["sub"] == "operator"


async def test_a_token_lives_no_longer_than_what_it_was_given_for(api: Api) -> None:
    key = await api.post(
        "/api-keys",
        {"name": "ci", "role": "viewer", "expires_at": (api.services.clock.now() + timedelta(seconds=90)).isoformat()},
    )
    principal = await api.services.access.authenticate(Presented(key.document["token"]))
    issued = api.services.access_tokens.issue_for(principal, timedelta(hours=1), key.document["id"])
    assert issued.expires_in <= 90
    assert (await api.get("/apps", token=issued.token)).status == 200
    assert (await api.delete(f"/api-keys/{key.document['id']}")).status == 204
    assert (await api.get("/apps", token=issued.token)).status == 401

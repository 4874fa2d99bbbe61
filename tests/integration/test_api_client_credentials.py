"""OAuth 2.0 client credentials: an access token for an API key, as clients of others ask for it."""

from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import pytest

from control_plane.domain.access.role import Role
from control_plane.domain.limits import Limits
from tests.rig.api import Answer, Api, serving_api

pytestmark = pytest.mark.integration
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as opened:
        yield opened


async def ask(api: Api, *, basic: str | None = None, raw: bytes | None = None, **fields: str) -> Answer:
    """Ask for a token; `basic` is a client's `id:secret`."""
    headers = FORM | ({} if basic is None else {"Authorization": f"Basic {b64encode(basic.encode()).decode()}"})
    body = raw if raw is not None else urlencode({"grant_type": "client_credentials", **fields}).encode()
    answer = await api.call("POST", "//oauth/token", raw=body, token=None, headers=headers)
    if answer.headers["Content-Type"].startswith("application/json"):
        assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")
    return answer


async def key(api: Api, name: str, **more: Any) -> dict[str, Any]:
    made = await api.post("/api-keys", {"name": name, "role": "viewer", **more})
    assert made.status == 201, made.body
    return dict(made.document)


async def test_a_key_is_exchanged_for_a_token_that_may_the_same_and_ends_with_it(api: Api) -> None:
    made = await key(api, "reporter")
    for answer in (
        await ask(api, basic=f"reporter:{made['token']}"),
        await ask(api, basic=f"reporter:{made['token']}", client_id="reporter"),
        await ask(api, client_id="reporter", client_secret=made["token"]),
    ):
        assert (answer.status, answer.document["token_type"], answer.document["expires_in"]) == (200, "Bearer", 900)
    token = answer.document["access_token"]
    assert (await api.get("/configs", token=token)).status == 200
    assert (await api.post("/apps", {"app_id": "shop"}, token=token)).status == 403
    assert (await api.get("/auth/whoami", token=token)).document["id"] == "reporter"
    assert (await api.delete(f"/api-keys/{made['id']}")).status == 204
    assert (await api.get("/configs", token=token)).status == 401
    assert (await ask(api, basic=f"reporter:{made['token']}")).status == 401


async def test_a_key_that_was_rotated_after_a_leak_goes_on_with_its_new_secret(api: Api) -> None:
    made = await key(api, "reporter")
    leaked = (await ask(api, basic=f"reporter:{made['token']}")).document["access_token"]
    rotated = await api.post(f"/api-keys/{made['id']}/rotate", {"overlap": 0})
    assert (await api.get("/configs", token=leaked)).status == 401
    assert (await ask(api, basic=f"reporter:{made['token']}")).status == 401
    token = (await ask(api, basic=f"reporter:{rotated.document['token']}")).document["access_token"]
    assert (await api.get("/configs", token=token)).status == 200


async def test_a_replica_that_remembers_a_replaced_secret_gives_no_token_for_it(api: Api, migrated_url: str) -> None:
    made = await key(api, "reporter")
    async with serving_api(migrated_url) as other:
        for each in (api, other):
            assert (await ask(each, basic=f"reporter:{made['token']}")).status == 200
        rotated = await api.post(f"/api-keys/{made['id']}/rotate", {"overlap": 0})
        assert (await ask(other, basic=f"reporter:{made['token']}")).status == 401
        token = (await ask(other, basic=f"reporter:{rotated.document['token']}")).document["access_token"]
        assert (await api.get("/configs", token=token)).status == 200


async def test_who_is_no_client_is_told_nothing(api: Api) -> None:
    made, agent = await key(api, "reporter"), await api.register()
    token = (await ask(api, client_id="reporter", client_secret=made["token"])).document["access_token"]
    wrong = [
        {"client_id": "reporter", "client_secret": "trimtab_viewer_wrong"},
        {"client_id": "reporter", "client_secret": ""},
        {"client_id": "reporter", "client_secret": token},
        {"client_id": "another", "client_secret": made["token"]},
        {"client_id": "", "client_secret": made["token"]},
        {"client_id": "agent", "client_secret": agent},
        {"client_id": "reporter", "client_secret": "\u00fc\0"},
        {},
    ]
    answers = [await ask(api, **each) for each in wrong]
    answers += [await ask(api, basic=each) for each in ("reporter:wrong", "reporter", ":", "a:b:c", "")]
    assert {each.status for each in answers} == {401}
    assert {each.body for each in answers} == {answers[0].body}
    assert answers[0].document["error"] == "invalid_client"
    assert answers[0].headers["WWW-Authenticate"].startswith("Basic")


async def test_each_refusal_has_the_word_of_the_standard(api: Api) -> None:
    made = await key(api, "reporter")
    mine = {"client_id": "reporter", "client_secret": made["token"]}
    refusals = [
        (await ask(api, **mine, grant_type="password"), "unsupported_grant_type"),
        (await ask(api, **mine, scope="all"), "invalid_scope"),
        (await ask(api, basic=f"reporter:{made['token']}", client_secret=made["token"]), "invalid_request"),
        (await ask(api, basic=f"reporter:{made['token']}", client_id="another"), "invalid_request"),
        (await ask(api, raw=b"grant_type=client_credentials&grant_type=client_credentials"), "invalid_request"),
        (await ask(api, raw=b""), "invalid_request"),
        (await ask(api, raw=b"\xff\xfe=%ff"), "invalid_request"),
        (await ask(api, raw=b"&".join(b"%d=1" % each for each in range(100))), "invalid_request"),
        (await ask(api, client_id="operator", client_secret=api.operator), "unauthorized_client"),
        (await api.call("POST", "//oauth/token", {"grant_type": "client_credentials"}, token=None), "invalid_request"),
    ]
    assert [(each.status, each.document["error"]) for each, _ in refusals] == [(400, word) for _, word in refusals]


async def test_a_form_is_no_longer_than_any_body(migrated_url: str) -> None:
    async with serving_api(migrated_url, Limits(body_bytes=2_000)) as api:
        assert (await ask(api, raw=b"a=" + b"x" * 2_000)).status == 413


async def test_where_a_key_may_be_used_its_tokens_may_and_nowhere_else(api: Api) -> None:
    here = await key(api, "here", addresses=["127.0.0.0/8"])
    there = await key(api, "there", addresses=["10.0.0.0/8"])
    made = await ask(api, client_id="here", client_secret=here["token"])
    told = api.services.access_tokens.told(made.document["access_token"])
    assert told is not None
    assert told.principal.addresses == ("127.0.0.0/8",)
    assert (await api.get("/configs", token=made.document["access_token"])).status == 200
    assert (await ask(api, client_id="there", client_secret=there["token"])).document["error"] == "invalid_client"


async def test_tokens_carry_what_bindings_grant_and_are_limited_by_key(migrated_url: str) -> None:
    async with serving_api(migrated_url, rate_logins="1/h:2") as api:
        await api.register()
        secret = await api.member("narrow", ("viewer", "shop/prod"))
        made = await ask(api, client_id="narrow", client_secret=secret)
        token = made.document["access_token"]
        assert (await api.get("/effective/shop/prod", token=token)).status == 200
        assert (await api.get("/audit", token=token)).status == 403
        other = await api.key("wide", Role.VIEWER)
        assert (await ask(api, client_id="narrow", client_secret=secret)).status == 200
        refused = await ask(api, client_id="narrow", client_secret=secret)
        assert (refused.status, "Retry-After" in refused.headers) == (429, True)
        assert (await ask(api, client_id="wide", client_secret=other)).status == 200


async def test_a_token_keeps_what_was_granted_until_it_is_ended(api: Api) -> None:
    await api.register()
    secret = await api.member("narrow", ("viewer", "shop/prod"))
    mine = {"client_id": "narrow", "client_secret": secret}
    token = (await ask(api, **mine)).document["access_token"]
    (binding,) = (await api.get("/role-bindings")).document["items"]
    assert (await api.delete(f"/role-bindings/{binding['id']}")).status == 204
    assert (await api.get("/effective/shop/prod", token=secret)).status == 403
    assert (await api.get("/effective/shop/prod", token=token)).status == 200
    assert (await api.post("/revocations", {"subject": "principal:narrow", "reason": "moved on"})).status == 201
    assert (await api.get("/effective/shop/prod", token=token)).status == 401
    later = (await ask(api, **mine)).document["access_token"]
    assert (await api.get("/effective/shop/prod", token=later)).status == 403

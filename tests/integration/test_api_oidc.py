"""Logging in by an identity provider: an implementation of others (Authlib's, in oidc-provider-mock), and a false one."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import jwt
import pytest

from control_plane.outside.oidc import keys as keys_module
from control_plane.services.people.federation import challenge_of
from shared.domain.codec import encode
from tests.fakes.identity_provider import CLIENT_ID, CLIENT_SECRET, FakeProvider, fake_provider
from tests.rig.api import Answer, Api, serving_api
from tests.rig.logins import Browser, make_user
from tests.rig.people import problem
from tests.rig.process import Process
from tests.servers.server import free_port

BACK = "https://trimtab.example/api/v1/auth/oidc/callback"


def settings(issuer: str, **more: object) -> dict[str, object]:
    return {
        "oidc_issuer": issuer,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": CLIENT_SECRET,
        "oidc_redirect_url": BACK,
    } | more


@dataclass
class World:
    """An installation and its identity provider."""

    api: Api
    provider: FakeProvider
    database: str

    async def go(self, browser: Browser, query: str = "") -> str:
        """Send a browser to the provider; where it sends the browser back to."""
        departure = await browser.get(f"/auth/oidc/login{query}")
        assert departure.status == 302, departure.body
        async with self.api.session.get(departure.headers["Location"], allow_redirects=False) as answer:
            assert answer.status == 302
            return answer.headers["Location"].removeprefix("https://trimtab.example/api/v1")

    async def login(self, browser: Browser, query: str = "") -> Answer:
        answer = await browser.get(await self.go(browser, query))
        if answer.status == 302 and len(browser.cookies):
            browser.csrf = (await browser.get("/auth/session")).document["csrf_token"]
        return answer


@pytest.fixture
async def world(migrated_url: str) -> AsyncIterator[World]:
    async with fake_provider() as provider, serving_api(migrated_url, **settings(provider.issuer)) as api:
        yield World(api, provider, migrated_url)


async def who(browser: Browser) -> Any:
    return (await browser.get("/auth/whoami")).document


async def test_a_person_is_let_in_with_what_their_groups_were_granted(world: World) -> None:
    binding = {"subject": "group:platform", "role": "viewer", "reach": "global"}
    assert (await world.api.post("/role-bindings", binding)).status == 201
    browser = Browser(world.api)
    answer = await world.login(browser, "?return_to=/docs%3Fa%3D1")
    assert (answer.status, answer.headers["Location"]) == (302, "/docs?a=1")
    assert list(browser.cookies) == ["__Host-trimtab"]
    assert (await who(browser))["id"] == "user:anna"
    assert (await browser.get("/apps")).status == 200
    assert (await browser.post("/apps", {"app_id": "x"})).status == 403
    (user,) = (await world.api.get("/users")).document["items"]
    assert (user["name"], user["display_name"], user["external"]) == ("anna", "Anna A.", True)
    assert (await Browser(world.api).login("anna", "")).status == 401, "it has no password here"
    bound = (await world.api.get("/role-bindings")).document["items"]
    (mine,) = [each for each in bound if each["subject"] == "group:platform"]
    assert (await world.api.delete(f"/role-bindings/{mine['id']}")).status == 204
    with anyio.fail_after(4):
        while (await browser.get("/apps")).status != 403:
            await anyio.sleep(0.05)


def _set(**claims: Any) -> Callable[[dict[str, Any]], None]:
    return lambda said: said.update(claims)


NOW = int(time.time())  # noqa: TID251 - the clock by which the provider signs
FALSE_CLAIMS: dict[str, Callable[[dict[str, Any]], None]] = {
    "another issuer": _set(iss="https://evil.example"),
    "another audience": _set(aud="other"),
    "several audiences, asked by nobody": _set(aud=[CLIENT_ID, "other"]),
    "asked by another": _set(aud=[CLIENT_ID, "other"], azp="other"),
    "asked by another, for us": _set(azp="other"),
    "expired": _set(exp=NOW - 3_600),
    "of the future": _set(iat=NOW + 36_000),
    "not yet in force": _set(nbf=NOW + 36_000),
    "another nonce": _set(nonce="x"),
    "a nonce that is no text": _set(nonce=[1]),
    "no nonce": lambda said: said.pop("nonce"),
    "no subject": lambda said: said.pop("sub"),
    "an empty subject": _set(sub=""),
    "no end": lambda said: said.pop("exp"),
    "no beginning": lambda said: said.pop("iat"),
    "another access token": _set(at_hash="AAAA"),
    "no name": lambda said: said.pop("preferred_username"),
    "a name of path and line": _set(preferred_username="../\n"),
}


@pytest.mark.parametrize("falsify", FALSE_CLAIMS.values(), ids=FALSE_CLAIMS)
async def test_a_word_that_is_not_for_this_login_lets_nobody_in(
    world: World, falsify: Callable[[dict[str, Any]], None]
) -> None:
    world.provider.falsify = falsify
    browser = Browser(world.api)
    answer = await world.login(browser)
    assert (answer.status, problem(answer)) == (400, "login-failed")
    assert "__Host-trimtab" not in browser.cookies
    assert (await world.api.get("/users")).document["items"] == []


async def test_a_clock_that_differs_by_less_than_a_minute_keeps_nobody_out(world: World) -> None:
    for said in ({"iat": int(time.time()) + 30}, {"exp": int(time.time()) - 30}, {"nbf": int(time.time()) + 30}):  # noqa: TID251 - the clock by which the provider signs
        world.provider.falsify = _set(**said)
        assert (await world.login(Browser(world.api))).status == 302, said


def _unsigned(token: str) -> str:
    return jwt.encode(jwt.decode(token, options={"verify_signature": False}), None, "none")


def _by_secret(token: str) -> str:
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode(claims, CLIENT_SECRET * 2, "HS256", {"kid": jwt.get_unverified_header(token)["kid"]})


def _cut(token: str) -> str:
    head, body, signature = token.split(".")
    return f"{head}.{body}.{signature[:-4]}AAAA"


def _of_a_stranger(token: str) -> str:
    stranger = FakeProvider()
    stranger.rotate()
    claims = jwt.decode(token, options={"verify_signature": False})
    return stranger.sign(claims, kid=jwt.get_unverified_header(token)["kid"])


FORGERIES = {
    "not signed": _unsigned,
    "signed with the client's secret": _by_secret,
    "signature cut": _cut,
    "signed by a stranger": _of_a_stranger,
    "nothing": lambda _token: "",
    "no token": lambda _token: "a.b.c",
    "too long": lambda token: token + "A" * 70_000,
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
async def test_a_forged_token_lets_nobody_in(world: World, forge: Callable[[str], str]) -> None:
    world.provider.forge = forge
    answer = await world.login(Browser(world.api))
    assert (answer.status, problem(answer)) == (400, "login-failed")
    assert CLIENT_SECRET not in answer.body.decode()


async def test_only_the_browser_that_went_comes_back_and_only_once(world: World) -> None:
    victim, thief = Browser(world.api), Browser(world.api)
    back = await world.go(thief)
    assert problem(await victim.get(back)) == "login-failed", "somebody else's answer, planted"
    back = await world.go(victim)
    await world.go(thief)
    assert problem(await thief.get(back)) == "login-failed", "another browser's answer, stolen"
    back = await world.go(victim)
    assert (await victim.get(back)).status == 302
    fresh = Browser(world.api)
    await fresh.get("/auth/oidc/login")
    fresh.cookies |= victim.cookies
    assert problem(await fresh.get(back)) == "login-failed", "played again"
    for query in ("", "?state=x&code=y", "?code=y", "?error=access_denied", "?error=<script>"):
        answer = await fresh.get(f"/auth/oidc/callback{query}")
        assert (answer.status, problem(answer)) == (400, "login-failed")
        assert b"script" not in answer.body


async def test_another_providers_answer_is_not_taken_for_this_ones(world: World) -> None:
    for said in ("https://evil.example", ""):
        world.provider.names_itself = said
        world.provider.metadata = {"authorization_response_iss_parameter_supported": True}
        async with serving_api_again(world) as again:
            assert problem(await again.login(Browser(again.api))) == "login-failed"
    world.provider.names_itself = world.provider.issuer
    async with serving_api_again(world) as again:
        assert (await again.login(Browser(again.api))).status == 302


@asynccontextmanager
async def serving_api_again(world: World) -> AsyncIterator[World]:
    """Another replica, which asks the provider anew what it says about itself."""
    async with serving_api(world.database, **settings(world.provider.issuer)) as api:
        yield World(api, world.provider, world.database)


@contextmanager
def _quickly(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(keys_module, "ASK_AGAIN_SECONDS", 0.0)
        yield


async def test_new_keys_of_the_provider_are_fetched_and_withdrawn_ones_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await world.login(Browser(world.api))).status == 302
    assert world.provider.asked_for_keys == 1
    world.provider.rotate()
    assert problem(await world.login(Browser(world.api))) == "login-failed", "asked a moment ago"
    assert world.provider.asked_for_keys == 1, "unknown keys make us ask once a minute at most"
    with _quickly(monkeypatch):
        assert (await world.login(Browser(world.api))).status == 302
        world.provider.rotate(publish=False)
        assert problem(await world.login(Browser(world.api))) == "login-failed"
        withdrawn = world.provider.published.pop(0)
        assert withdrawn not in world.provider.published


async def test_a_name_that_is_somebody_elses_is_not_given_twice(world: World) -> None:
    await make_user(world.api, "anna")
    answer = await world.login(Browser(world.api))
    assert (answer.status, problem(answer)) == (400, "login-failed")
    world.provider.person |= {"sub": "4711", "preferred_username": "bert"}
    assert (await world.login(Browser(world.api))).status == 302
    world.provider.person |= {"sub": "0816"}
    assert problem(await world.login(Browser(world.api))) == "login-failed", "another person with bert's name"
    world.provider.person |= {"sub": "4711", "preferred_username": "robert"}
    browser = Browser(world.api)
    assert (await world.login(browser)).status == 302
    assert (await who(browser))["id"] == "user:bert", "a person stays who they were"


async def test_whoever_is_disabled_here_is_not_let_in_by_the_provider(world: World) -> None:
    browser = Browser(world.api)
    await world.login(browser)
    await world.api.post("/users/anna/disable", None)
    assert (await browser.get("/auth/session")).status == 401
    assert problem(await world.login(Browser(world.api))) == "login-failed"


async def test_groups_may_come_from_userinfo_about_the_same_person_only(world: World) -> None:
    del world.provider.person["groups"]
    world.provider.told = {"groups": ["ops", "", 7, "x" * 300, "a\nb"]}
    browser = Browser(world.api)
    await world.login(browser)
    assert (await who(browser))["groups"] == ["ops"]
    world.provider.told = {"sub": "4711", "groups": ["admins"]}
    assert problem(await world.login(Browser(world.api))) == "login-failed"


@pytest.mark.parametrize(
    "asked",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "evil", "/a%0d%0ab", ""],
)
async def test_one_returns_to_this_installation_only(world: World, asked: str) -> None:
    answer = await world.login(Browser(world.api), f"?return_to={asked}")
    assert (answer.status, answer.headers["Location"]) == (302, "/docs")


async def test_a_provider_that_is_away_or_another_is_told_plainly(migrated_url: str) -> None:
    async with fake_provider() as provider, serving_api(migrated_url, **settings(provider.issuer)) as api:
        provider.broken = 503
        answer = await Browser(api).get("/auth/oidc/login")
        assert (answer.status, problem(answer)) == (503, "unavailable")
        assert "identity provider" in answer.document["detail"]
        assert answer.headers["Retry-After"]
        provider.broken = 0
        for false in (
            {"issuer": "https://evil.example"},
            {"token_endpoint": "file:///etc/passwd"},
            {"jwks_uri": None},
            {"code_challenge_methods_supported": ["plain"]},
            {"noise": "x" * 300_000},
        ):
            provider.metadata = false
            answer = await Browser(api).get("/auth/oidc/login")
            assert (answer.status, problem(answer)) == (400, "login-failed"), false
        provider.metadata = {}
        assert (await Browser(api).get("/auth/oidc/login")).status == 302
    async with serving_api(migrated_url, **settings("http://127.0.0.1:9")) as api:
        assert (await Browser(api).get("/auth/oidc/login")).status == 503
        assert (await api.get("/auth/methods", token=None)).document["identity_provider"] == "http://127.0.0.1:9"
    async with serving_api(migrated_url) as api:
        assert problem(await Browser(api).get("/auth/oidc/login")) == "login-failed"


async def test_the_provider_ends_the_sessions_of_who_logs_out_there(world: World) -> None:
    async def end(token: str) -> int:
        url = f"{world.api.url}/api/v1/auth/oidc/backchannel-logout"
        async with world.api.session.post(url, data={"logout_token": token}) as answer:
            return answer.status

    here, other = Browser(world.api), Browser(world.api)
    await world.login(here)
    world.provider.falsify = _set(sid="there-2")
    await world.login(other)
    for false in (
        world.provider.logout_token(sub="0815", nonce="x"),
        world.provider.logout_token(sub="0815", events={}),
        world.provider.logout_token(sub="0815", aud="other"),
        world.provider.logout_token(),
        world.provider.logout_token(sub="0815", iat=NOW - 36_000),
        "",
    ):
        assert await end(false) == 400
    assert (await here.get("/auth/session")).status == 200
    assert await end(world.provider.logout_token(sub="0815", sid="there-1")) == 200
    assert (await here.get("/auth/session")).status == 401
    assert (await other.get("/auth/session")).status == 200
    assert await end(world.provider.logout_token(sub="0815")) == 200
    assert (await other.get("/auth/session")).status == 401
    assert await end(world.provider.logout_token(sub="nobody")) == 200


async def test_a_command_line_gets_its_session_by_a_code_and_its_own_secret(world: World) -> None:
    async def code() -> str:
        browser = Browser(world.api)
        back = await world.go(browser, f"?cli_port=4711&cli_challenge={challenge_of('v' * 43)}")
        answer = await browser.get(back)
        assert answer.headers["Location"].startswith("http://127.0.0.1:4711/?code=")
        assert "__Host-trimtab" not in browser.cookies, "the session is the command line's"
        return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]

    async def exchange(code: str, verifier: str) -> Answer:
        return await world.api.post("/auth/oidc/token", {"code": code, "verifier": verifier}, token=None)

    assert problem(await exchange(await code(), "w" * 43)) == "login-failed"
    good = await code()
    made = await exchange(good, "v" * 43)
    assert made.document["token"].startswith("trimtab_session_")
    assert problem(await exchange(good, "v" * 43)) == "login-failed"
    shown = (await world.api.get("/auth/whoami", token=made.document["token"])).document
    assert (shown["id"], shown["groups"]) == ("user:anna", ["platform"])
    for query in ("?cli_port=1", "?cli_port=0&cli_challenge=x", f"?cli_challenge={challenge_of('v')}"):
        assert (await world.api.get(f"/auth/oidc/login{query}", token=None)).status == 422


@asynccontextmanager
async def provider_of_others(port: int, log: Path) -> AsyncIterator[Process]:
    """Authlib's provider in a process of its own; it has new keys each time. It knows one person."""
    anna = {"sub": "0815", "email": "anna@example.com", "name": "Anna", "groups": ["platform"]}
    arguments = ["--port", str(port), "--require-nonce", "true", "--user-claims", encode(anna).decode()]
    server = Process("oidc_provider_mock", arguments, f"http://127.0.0.1:{port}", {}, log)
    server.start()
    try:
        await server.until_ok("/.well-known/openid-configuration")
        yield server
    finally:
        server.kill()


async def _through(api: Api, browser: Browser) -> Answer:
    """Log in there by its own form."""
    departure = await browser.get("/auth/oidc/login")
    async with api.session.post(departure.headers["Location"], data={"sub": "0815"}, allow_redirects=False) as answer:
        assert answer.status == 302, await answer.text()
        return await browser.get(answer.headers["Location"].removeprefix("https://trimtab.example/api/v1"))


async def test_it_works_with_an_implementation_of_others_and_its_new_keys(
    migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, log = free_port(), tmp_path / "provider.log"
    issuer = f"http://127.0.0.1:{port}"
    async with serving_api(migrated_url, **settings(issuer, oidc_user_claim="email")) as api:
        first, again = Browser(api), Browser(api)
        async with provider_of_others(port, log):
            assert (await _through(api, first)).status == 302
            shown = await who(first)
            assert (shown["id"], shown["groups"]) == ("user:anna@example.com", ["platform"])
        assert (await first.get("/auth/session")).status == 200, "whoever is in needs the provider no more"
        async with provider_of_others(port, log):
            with _quickly(monkeypatch):
                assert (await _through(api, again)).status == 302, "by keys that it did not have before"
        assert (await who(again))["id"] == "user:anna@example.com"
        assert (await api.get("/audit/verify")).document["intact"]

"""Logging in, sessions and accounts, over HTTP and PostgreSQL, with sessions in memory and in Redis."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import anyio
import pytest

from control_plane.api.routes import ROUTES
from tests.rig.api import Api, serving_api
from tests.rig.logins import PASSWORD, Browser, make_user, token_of
from tests.rig.people import problem
from tests.servers.server import Server

NEW = "seventeen quiet lighthouses"


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as served:
        await make_user(served)
        yield served


@pytest.fixture
async def two(migrated_url: str, redis_url: str) -> AsyncIterator[tuple[Api, Api]]:
    """Two replicas of one installation."""
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(serving_api(migrated_url, redis_url=redis_url))
        other = await stack.enter_async_context(serving_api(migrated_url, redis_url=redis_url))
        other.operator = one.operator = other.operator  # the later one's token is the one that holds
        await make_user(one)
        yield one, other


async def refused(browser: Browser) -> bool:
    return (await browser.get("/auth/session")).status == 401


async def test_there_is_no_account_until_somebody_makes_one(migrated_url: str) -> None:
    async with serving_api(migrated_url) as api:
        assert (await api.get("/users")).document["items"] == []
        for name in ("admin", "operator", "root", "trimtab"):
            answer = await Browser(api).login(name, name * 3)
            assert (answer.status, problem(answer)) == (401, "login-refused")


async def test_whoever_knows_the_password_gets_a_session_in_a_safe_cookie(api: Api) -> None:
    browser = Browser(api)
    answer = await browser.login()
    assert answer.status == 200
    (cookie,) = answer.headers.getall("Set-Cookie")  # type: ignore[attr-defined]
    for flag in ("__Host-trimtab=", "HttpOnly", "Secure", "SameSite=Lax", "Path=/"):
        assert flag in cookie
    assert "Domain" not in cookie
    assert answer.document["token"] is None
    assert browser.cookies["__Host-trimtab"] not in answer.body.decode()
    shown = (await browser.get("/auth/session")).document
    assert (shown["session"]["user"], shown["csrf_token"]) == ("anna", browser.csrf)
    assert (await browser.post("/auth/logout")).status == 204
    assert not browser.cookies
    assert await refused(browser)


async def test_after_logging_out_the_old_cookie_is_worth_nothing(api: Api) -> None:
    browser = Browser(api)
    await browser.login()
    stolen = Browser(api, dict(browser.cookies), browser.csrf)
    assert not await refused(stolen)
    await browser.post("/auth/logout")
    assert await refused(stolen)


async def test_every_login_begins_a_session_of_its_own(api: Api) -> None:
    browser = Browser(api)
    await browser.login()
    first = dict(browser.cookies)
    await browser.login()
    assert browser.cookies != first
    planted = Browser(api, {"__Host-trimtab": "chosen-by-somebody-else"})
    await planted.login()
    assert planted.cookies["__Host-trimtab"] != "chosen-by-somebody-else"


async def test_every_refusal_says_the_same(api: Api) -> None:
    await make_user(api, "gone")
    await api.post("/users/gone/disable", None)
    answers = [
        await Browser(api).login(*each)
        for each in (("anna", "wrong password"), ("nobody", PASSWORD), ("gone", PASSWORD), ("Ä\u202e", "x"), ("", ""))
    ]
    assert {each.status for each in answers} == {401}
    told = [{name: each.document[name] for name in ("type", "title", "detail", "hint")} for each in answers]
    assert all(each == told[0] for each in told)
    assert all("Set-Cookie" not in each.headers for each in answers)


async def test_guesses_cost_a_wait_that_neither_account_nor_session_loses_by(api: Api) -> None:
    known = Browser(api)
    await known.login()
    answers = [await Browser(api).login("anna", f"guess number {number}") for number in range(8)]
    assert [each.status for each in answers] == [401] * 5 + [429] * 3
    locked = answers[-1]
    assert problem(locked) == "too-many-requests"
    assert 1 <= int(locked.headers["Retry-After"]) <= 3
    assert (await Browser(api).login()).status == 429, "the right password waits as well, and tells nothing"
    assert not await refused(known), "who is in stays in"
    unknown = [(await Browser(api).login("nobody", f"guess number {number}")).status for number in range(6)]
    assert unknown == [401] * 5 + [429], "nor does a wait tell whether there is such an account"
    with anyio.fail_after(30):
        while (answer := await Browser(api).login()).status == 429:
            await anyio.sleep(int(answer.headers["Retry-After"]))
    assert answer.status == 200, "the right password begins anew"


async def test_many_guesses_at_once_are_no_way_round(api: Api) -> None:
    statuses: list[int] = []

    async def guess(number: int) -> None:
        statuses.append((await Browser(api).login("anna", f"guess number {number}")).status)

    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(guess, number)
    assert statuses.count(401) == 5
    assert statuses.count(429) == 15


async def test_a_cookie_alone_changes_nothing(api: Api) -> None:
    browser = Browser(api)
    await browser.login()
    for token in ("", "wrong", browser.cookies["__Host-trimtab"]):
        forged = Browser(api, dict(browser.cookies), token)
        answer = await forged.post("/auth/logout-everywhere")
        assert (answer.status, problem(answer)) == (403, "cross-site")
    own = api.url.removesuffix("/")
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "none", "Origin": own},
    ):
        answer = await browser.post("/auth/logout-everywhere", **headers)
        assert (answer.status, problem(answer)) == (403, "cross-site"), headers
    assert not await refused(browser)
    assert (await browser.post("/auth/logout", Origin=own, Sec_Fetch_Site="same-origin")).status == 204


async def test_no_route_that_changes_something_takes_a_cookie_alone(api: Api) -> None:
    browser = Browser(api)
    await browser.login()
    forged = Browser(api, dict(browser.cookies))
    changing = [each for each in ROUTES if each.method not in {"GET", "HEAD"} and each.permission is not None]
    assert len(changing) > 50
    for route in changing:
        path = re.sub(r"{\w+}", "x", route.path)
        answer = await forged.call(route.method, path if path.startswith("//") else path.removeprefix("/api/v1"), {})
        assert (answer.status, problem(answer)) == (403, "cross-site"), f"{route.method} {route.path}"
    assert not await refused(browser)


async def test_another_site_cannot_log_a_browser_in(api: Api) -> None:
    answer = await Browser(api).call(
        "POST", "/auth/login", {"name": "anna", "password": PASSWORD}, Origin="https://evil.example"
    )
    assert (answer.status, problem(answer)) == (403, "cross-site")


async def test_tokens_and_cookies_never_mix(api: Api) -> None:
    browser = Browser(api)
    await browser.login()
    secret = browser.cookies["__Host-trimtab"]
    assert (await api.get("/auth/session", token=secret)).status == 401
    assert (await api.get("/auth/session", token=f"trimtab_session_{secret}")).status == 401
    token = await token_of(api)
    assert token.startswith("trimtab_session_")
    assert (await api.get("/auth/session", token=token)).document["csrf_token"] is None
    for value in (token, token.removeprefix("trimtab_session_")):
        assert await refused(Browser(api, {"__Host-trimtab": value}))
    both = await browser.call("GET", "/auth/session", Authorization="Bearer trimtab_session_none")
    assert both.status == 401, "who shows a token is known by it alone"
    assert (await api.post("/auth/logout", None, token=token)).status == 204
    assert (await api.get("/auth/session", token=token)).status == 401


async def test_keys_have_no_sessions(api: Api) -> None:
    for path in ("/auth/session", "/auth/sessions"):
        answer = await api.get(path)
        assert (answer.status, problem(answer)) == (403, "forbidden")
    agent = await api.register()
    assert (await api.post("/auth/logout-everywhere", None, token=agent)).status == 403
    assert (await api.post("/auth/login", {"name": "operator", "password": api.operator}, token=None)).status == 401


async def test_one_sees_ones_own_sessions_and_ends_them(api: Api) -> None:
    here, there = Browser(api), Browser(api)
    await here.login()
    await there.login()
    await make_user(api, "bert")
    await Browser(api).login("bert")
    items = (await here.get("/auth/sessions")).document["items"]
    assert [each["current"] for each in items].count(True) == 1
    assert len(items) == 2
    (other,) = [each for each in items if not each["current"]]
    assert (await here.call("DELETE", f"/auth/sessions/{other['id']}")).status == 204
    assert await refused(there)
    assert (await here.call("DELETE", "/auth/sessions/unknown")).status == 404


async def test_what_one_replica_ends_is_over_on_all_of_them_at_once(two: tuple[Api, Api]) -> None:
    one, other = two
    here, there = Browser(one), Browser(other)
    await here.login()
    await there.login()
    elsewhere = Browser(other, dict(here.cookies), here.csrf)
    assert not await refused(elsewhere)
    assert (await there.post("/auth/logout-everywhere")).status == 204
    assert await refused(elsewhere)
    assert await refused(here)
    assert await refused(there)


async def test_whoever_is_disabled_is_out_everywhere(two: tuple[Api, Api]) -> None:
    one, other = two
    here = Browser(other)
    await here.login()
    assert not await refused(here)
    assert (await one.post("/users/anna/disable", None)).document["disabled"]
    assert await refused(here)
    assert (await Browser(one).login()).status == 401
    assert not (await one.post("/users/anna/enable", None)).document["disabled"]
    assert await refused(here), "an old session does not come back"
    assert (await Browser(one).login()).status == 200


async def test_another_password_ends_all_sessions_but_begins_one_for_who_changed_it(api: Api) -> None:
    here, there = Browser(api), Browser(api)
    await here.login()
    await there.login()
    before = dict(here.cookies)
    wrong = await here.call("PUT", "/auth/password", {"current_password": "wrong", "new_password": NEW})
    assert (wrong.status, problem(wrong)) == (401, "login-refused")
    weak = await here.call("PUT", "/auth/password", {"current_password": PASSWORD, "new_password": "password1234"})
    assert (weak.status, weak.pointers) == (422, ["/new_password"])
    changed = await here.call("PUT", "/auth/password", {"current_password": PASSWORD, "new_password": NEW})
    assert changed.status == 200
    here.csrf = changed.document["csrf_token"]
    assert here.cookies != before
    assert not await refused(here)
    assert await refused(there)
    assert await refused(Browser(api, before))
    assert (await Browser(api).login("anna", PASSWORD)).status == 401
    assert (await Browser(api).login("anna", NEW)).status == 200


async def test_an_administrator_resets_a_password(api: Api) -> None:
    browser = Browser(api)
    await browser.login()
    assert (await api.put("/users/anna/password", {"password": "short"})).pointers == ["/password"]
    assert (await api.put("/users/anna/password", {"password": NEW})).status == 200
    assert await refused(browser)
    assert (await Browser(api).login("anna", NEW)).status == 200
    for name in ("nobody", "N0-Name!"):
        assert (await api.put(f"/users/{name}/password", {"password": NEW})).status == 404


async def test_accounts_are_made_once_and_listed_without_secrets(api: Api) -> None:
    assert (await make_user(api)).status == 409
    for bad in ({"name": "Anna"}, {"name": "a b"}, {"name": "-"}, {"name": "b", "password": "123456789012"}):
        assert (await api.post("/users", {"password": PASSWORD} | bad)).status == 422
    await make_user(api, "bert@example.com")
    listed = await api.get("/users?limit=1")
    assert listed.document["items"][0]["name"] == "anna"
    rest = await api.get(f"/users?limit=1&cursor={listed.document['next_cursor']}")
    assert rest.document["items"][0]["name"] == "bert@example.com"
    assert b"argon2" not in listed.body
    assert b"hash" not in listed.body


async def test_accounts_may_do_nothing_until_roles_are_bound_to_them(api: Api) -> None:
    browser = Browser(api)
    await browser.login()
    for path in ("/apps", "/users", "/configs", "/audit"):
        assert (await browser.get(path)).status == 403, path


async def test_logins_are_in_the_audit_chain_without_anything_secret(api: Api) -> None:
    browser = Browser(api)
    await browser.login()
    typed = "my password in the wrong field"
    await Browser(api).login(typed, "x")
    await Browser(api).login("anna", typed)
    await browser.call("PUT", "/auth/password", {"current_password": PASSWORD, "new_password": NEW})
    await browser.post("/auth/logout")
    found = (await api.get("/audit?limit=100")).document["items"]
    actions = {each["action"] for each in found}
    assert {"user.created", "user.logged-in", "user.password-changed", "auth.login"} <= actions
    (denied,) = [each for each in found if each["action"] == "auth.login"]
    assert (denied["outcome"], denied["actor"]) == ("denied", "anybody")
    everything = str(found)
    for secret in (PASSWORD, NEW, typed, "argon2", browser.csrf):
        assert secret not in everything
    assert (await api.get("/audit/verify")).document["intact"]


async def test_idle_sessions_and_old_ones_are_over(migrated_url: str) -> None:
    async with serving_api(migrated_url, session_idle="0.5", session_lifetime="60") as api:
        await make_user(api)
        browser = Browser(api)
        await browser.login()
        assert not await refused(browser)
        await anyio.sleep(0.7)
        assert await refused(browser)
    async with serving_api(migrated_url, session_idle="60", session_lifetime="0.5") as api:
        browser = Browser(api)
        await browser.login()
        with anyio.fail_after(10):
            while not await refused(browser):
                await anyio.sleep(0.05)


async def test_losing_redis_logs_everybody_out_and_lets_nobody_in(migrated_url: str, own_redis: Server) -> None:
    async with serving_api(migrated_url, redis_url=own_redis.url) as api:
        await make_user(api)
        browser = Browser(api)
        await browser.login()
        await own_redis.stop()
        assert (await browser.get("/auth/session")).status == 503
        for password in (PASSWORD, "wrong"):
            assert (await Browser(api).login("anna", password)).status == 503, "neither tells which one is right"
        assert (await api.get("/apps")).status == 200, "keys work on"
        await own_redis.start()
        with anyio.fail_after(10):
            while (status := (await browser.get("/auth/session")).status) == 503:
                await anyio.sleep(0.05)
        assert status == 401
        assert (await Browser(api).login()).status == 200


async def test_a_session_of_one_replica_is_known_to_the_other(two: tuple[Api, Api]) -> None:
    one, other = two
    token = await token_of(one)
    assert (await other.get("/auth/session", token=token)).document["session"]["user"] == "anna"
    assert (await other.post("/auth/logout", None, token=token)).status == 204
    assert (await one.get("/auth/session", token=token)).status == 401


async def test_on_this_machine_alone_cookies_do_without_tls(migrated_url: str) -> None:
    async with serving_api(migrated_url, plain_cookies=True) as api:
        await make_user(api)
        browser = Browser(api)
        answer = await browser.login()
        assert "trimtab-dev" in browser.cookies
        assert "Secure" not in answer.headers["Set-Cookie"]
        assert "HttpOnly" in answer.headers["Set-Cookie"]
        assert not await refused(browser)

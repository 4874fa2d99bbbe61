"""Pages of other origins read from the agent only if it was told of them."""

import aiohttp
import anyio
import pytest

from agent.settings import parsers
from tests.fakes.snapshots import snapshot_of
from tests.integration.test_local_api import Agent, agent

APP = "https://app.example.com"
ALLOW = "Access-Control-Allow-Origin"
BULK = "/ofrep/v1/evaluate/flags"


async def preflight(it: Agent, path: str, origin: str, **more: str) -> aiohttp.ClientResponse:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,if-none-match,x-api-key",
    }
    async with it.session.options(it.url + path, headers=asked | more) as answer:
        await answer.read()
        return answer


async def test_without_the_setting_no_page_of_another_origin_is_served() -> None:
    async with agent() as it:
        it.live(snapshot_of(1, {"k": 1}))
        assert (await preflight(it, BULK, APP)).status == 403
        for origin in (APP, "http://localhost:3000"):
            async with it.session.post(it.url + BULK, json={}, headers={"Origin": origin}) as answer:
                assert answer.status == (403 if origin == APP else 200)
                assert ALLOW not in answer.headers
                assert "Origin" not in answer.headers.get("Vary", "")


async def test_a_page_of_an_allowed_origin_reads_answers_errors_and_streams() -> None:
    async with agent(cors_origins=[APP]) as it:
        it.live(snapshot_of(1, {"k": 1}))
        answer = await preflight(it, BULK, APP)
        assert (answer.status, answer.headers[ALLOW]) == (204, APP)
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        allowed = answer.headers["Access-Control-Allow-Headers"].lower()
        assert all(name in allowed for name in ("content-type", "if-none-match", "x-api-key", "authorization"))
        assert int(answer.headers["Access-Control-Max-Age"]) > 0
        for method, path, status in (
            ("POST", BULK, 200), ("POST", f"{BULK}/k", 200), ("POST", f"{BULK}/none", 404), ("GET", "/v1/values/k", 200),
            ("GET", "/v1/values/none", 404), ("GET", "/nothing", 404), ("GET", "/v1/watch", 200),
            ("GET", "/ofrep/v1/sse", 200), ("GET", "/v1/configs", 200),
        ):  # fmt: skip
            async with it.session.request(method, it.url + path, headers={"Origin": APP}) as answer:
                assert (answer.status, answer.headers[ALLOW]) == (status, APP), path
                exposed = answer.headers["Access-Control-Expose-Headers"]
                assert "ETag" in exposed
                assert "Retry-After" in exposed
                assert "Origin" in ", ".join(answer.headers.getall("Vary"))
                assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"{APP}.evil.example", "http://app.example.com"])
async def test_other_origins_stay_out(origin: str) -> None:
    async with agent(cors_origins=[APP]) as it:
        it.live(snapshot_of(1, {"k": 1}))
        answer = await preflight(it, BULK, origin)
        assert (answer.status, ALLOW in answer.headers) == (403, False)
        async with it.session.post(it.url + BULK, json={}, headers={"Origin": origin}) as answer:
            assert (answer.status, ALLOW in answer.headers) == (403, False)


async def test_an_allowed_origin_does_not_let_in_another_host() -> None:
    async with agent(cors_origins=[APP]) as it:
        it.live(snapshot_of(1, {"k": 1}))
        assert (await preflight(it, BULK, APP, Host="evil.example")).status == 403
        status, _, _ = await it.get("/v1/values/k", {"Origin": APP, "Host": "evil.example"})
        assert status == 403


async def test_a_page_on_a_public_network_may_ask_for_this_private_one() -> None:
    async with agent(cors_origins=[APP]) as it:
        answer = await preflight(it, BULK, APP, **{"Access-Control-Request-Private-Network": "true"})
        assert answer.headers["Access-Control-Allow-Private-Network"] == "true"


async def test_an_answer_to_nobody_in_particular_says_that_it_depends_on_the_origin() -> None:
    async with agent(cors_origins=[APP]) as it:
        it.live(snapshot_of(1, {"k": 1}))
        with anyio.fail_after(10):
            _, _, answer = await it.get("/v1/values/k")
        assert "Origin" in ", ".join(answer.headers.getall("Vary"))
        assert ALLOW not in answer.headers


def test_origins_are_given_as_browsers_send_them() -> None:
    given = "https://App.example.com, http://localhost:3000,http://[::1]:80"
    assert parsers.origins(given) == ("https://app.example.com", "http://localhost:3000", "http://[::1]:80")


@pytest.mark.parametrize("given", ["*", "app.example.com", "https://app.example.com/", "https://*.example.com", "null"])
def test_what_is_no_origin_is_refused_with_what_one_looks_like(given: str) -> None:
    with pytest.raises(ValueError, match=r"as https://app\.example\.com"):
        parsers.origins(given)

"""Credentials as bytes of a request: whatever is not the very secret is refused, in order, and nothing breaks by it.

Some thousand requests by default; `TRIMTAB_TEST_FUZZ=all` sends some ten thousand.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import anyio
import pytest

from control_plane.domain.access.role import Role
from tests.rig import hostile
from tests.rig.api import Api, serving_api
from tests.rig.damage import damaged
from tests.rig.logins import Browser, make_user, token_of
from tests.rig.tally import Tally, add

ALL = os.environ.get("TRIMTAB_TEST_FUZZ") == "all"
SEEDS = range(300 if ALL else 4)
_REFUSED = {400, 401, 403, 431}
_UNLIMITED = {f"rate_{each}": "off" for each in ("reads", "writes", "agents", "addresses", "refusals")}

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1_800 if ALL else 60)]


@dataclass
class Line:
    """A connection for each request, as whoever tries things would have it."""

    api: Api
    statuses: Counter[int] = field(default_factory=Counter)

    async def send(self, method: str, path: str, *headers: bytes) -> int:
        """The status that is answered to these headers, which may be any bytes."""
        head = [f"{method} /api/v1{path} HTTP/1.1".encode(), b"Host: localhost", b"Connection: close", *headers]
        answer = b""
        async with await anyio.connect_tcp("127.0.0.1", int(self.api.url.rpartition(":")[2])) as stream:
            with anyio.fail_after(10):
                await stream.send(b"\r\n".join([*head, b"Content-Length: 0", b"", b""]))
                try:
                    while True:
                        answer += await stream.receive()
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    status = int(answer[9:12])
        self.statuses[status] += 1
        assert status < 500, (method, path, headers, answer)
        return status


def wrong(good: bytes) -> Iterator[bytes]:
    """What is nearly it, and what is nothing like it; never anything that begins another header or line."""
    tried = [each for seed in SEEDS for each in damaged(good, seed)]
    tried += [each.encode()[:2_000] for each in hostile.texts().values()]
    tried += [good.swapcase(), good + b",", good + b"\0", good[:-1], good + b" x", good * 2, b"", b"null", good[::-1]]
    yield from (each for each in tried if not re.search(rb"[\r\n]", each) and good not in each)


async def refused_but_right(line: Line, good: bytes, before: bytes, path: str) -> None:
    """With the good secret one gets in, with no other."""
    assert await line.send("GET", path, before + good) == 200
    for each in wrong(good):
        assert await line.send("GET", path, before + each) in _REFUSED, each


async def test_no_header_is_taken_for_a_secret_that_it_is_not(migrated_url: str, counted: Tally) -> None:
    async with serving_api(migrated_url, **_UNLIMITED) as api:
        agent = await api.register()
        enrolled = (await api.post("/agents/enrol", {"instance": "one"}, token=agent)).document["credential"]
        await make_user(api)
        line, bearer = Line(api), b"Authorization: Bearer "
        for good in (api.operator, await api.key("ci", Role.VIEWER), await token_of(api)):
            await refused_but_right(line, good.encode(), bearer, "/auth/whoami")
        for good in (agent, enrolled):
            await refused_but_right(line, good.encode(), bearer, "/snapshots/shop/prod")
        add(counted, line.statuses)


async def test_a_secret_is_nothing_where_it_does_not_belong(migrated_url: str) -> None:
    async with serving_api(migrated_url, **_UNLIMITED) as api:
        await make_user(api)
        line, browser, secret = Line(api), Browser(api), api.operator.encode()
        await browser.login()
        [(name, cookie)] = browser.cookies.items()
        for headers in (
            (b"Authorization: " + secret,),
            (b"Authorization: Basic " + secret,),
            (b"Authorization: Token " + secret,),
            (b"X-API-Key: " + secret,),
            (b"Proxy-Authorization: Bearer " + secret,),
            (f"Cookie: {name}=".encode() + secret,),
            (f"Authorization: Bearer {cookie}".encode(),),
            (f"Authorization: Bearer trimtab_session_{cookie}".encode(),),
            (b"Authorization: Bearer x", f"Cookie: {name}={cookie}".encode()),
            (b"Authorization: Bearer x", b"Authorization: Bearer " + secret),
        ):
            assert await line.send("GET", "/auth/whoami", *headers) in _REFUSED, headers
        assert await line.send("GET", f"/auth/whoami?token={api.operator}") == 401


async def test_no_cookie_and_no_token_of_a_page_is_taken_for_what_it_is_not(migrated_url: str, counted: Tally) -> None:
    async with serving_api(migrated_url, **_UNLIMITED) as api:
        await make_user(api)
        line, browser = Line(api), Browser(api)
        await browser.login()
        [(name, secret)] = browser.cookies.items()
        cookie = f"Cookie: {name}={secret}".encode()
        await refused_but_right(line, secret.encode(), f"Cookie: {name}=".encode(), "/auth/whoami")
        for each in wrong(browser.csrf.encode()):
            assert await line.send("POST", "/auth/logout", cookie, b"X-CSRF-Token: " + each) in _REFUSED, each
            assert await line.send("POST", "/auth/logout", b"Cookie: " + name.encode() + b"=" + each) in _REFUSED
        assert await line.send("GET", "/auth/whoami", cookie) == 200
        right = (cookie, f"X-CSRF-Token: {browser.csrf}".encode())
        assert await line.send("POST", "/auth/logout", *right, b"Origin: https://evil.example") == 403
        assert await line.send("POST", "/auth/logout", *right) == 204
        assert await line.send("GET", "/auth/whoami", cookie) == 401
        add(counted, line.statuses)

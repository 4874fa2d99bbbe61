"""Nobody makes the control plane ask what they cannot ask themselves, whatever a name is made to point at."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from control_plane.domain.reachable import PUBLIC, Reachable
from control_plane.outside.client import Reply, get, open_client, post
from control_plane.outside.guard import Guard, RefusedAddressError
from control_plane.ports.gates import Silence
from shared.runtime.http import Listen, serving


class Hostile(AbstractResolver):
    """Answers with what its owner likes, another thing each time."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers, self.asked = list(answers), 0

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - its own answer is what it gives
    ) -> list[ResolveResult]:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [
            ResolveResult(hostname=host, host=each, port=port, family=_family(each), proto=0, flags=0)
            for each in answer
        ]

    async def close(self) -> None:
        """Nothing is open."""


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Inside:
    """A service that nobody should be able to ask through us, and what it was asked."""

    def __init__(self, port: int) -> None:
        self.port, self.asked = port, list[str]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
async def inside() -> AsyncIterator[Inside]:
    app = web.Application()
    found = Inside(0)

    async def answer(request: web.Request) -> web.Response:
        found.asked.append(request.path)
        if request.path == "/redirect":
            return web.Response(status=302, headers={"Location": f"{found.url}/secret"})
        return web.json_response({"result": "pass"})

    app.router.add_route("*", "/{path:.*}", answer)
    async with serving(app, Listen("127.0.0.1", 0)) as listen:
        found.port = listen.port
        yield found


@asynccontextmanager
async def client(resolver: AbstractResolver, reachable: Reachable = PUBLIC) -> AsyncIterator[aiohttp.ClientSession]:
    async with open_client(2.0, reachable=reachable, resolver=resolver) as session:
        yield session


def is_refused(answer: object) -> bool:
    return isinstance(answer, Silence) and "TRIMTAB_OUTSIDE_NETWORKS" in answer.detail


async def test_a_name_that_points_inside_is_not_asked(inside: Inside) -> None:
    names = PUBLIC.naming([f"http://hooks.example:{inside.port}"], private=False)
    for address in ("127.0.0.1", "::ffff:127.0.0.1", "::1", "0.0.0.0", "10.0.0.1", "169.254.169.254", "::"):  # noqa: S104 - refused
        async with client(Hostile([address]), names) as session:
            assert is_refused(await post(session, f"http://hooks.example:{inside.port}/x", json={})), address
    assert inside.asked == []


async def test_a_name_is_asked_for_each_time_and_judged_each_time(inside: Inside) -> None:
    """DNS rebinding: what a name was when it was looked at says nothing about where the connection goes."""
    url = f"http://hooks.example:{inside.port}"
    resolver = Hostile(["127.0.0.9"], ["127.0.0.1"])
    reachable = Reachable.parse("127.0.0.9/32").naming([url], private=False)
    async with client(resolver, reachable) as session:
        first = await post(session, f"{url}/x", json={})
        assert isinstance(first, Silence)
        assert not is_refused(first), "127.0.0.9 may be asked, and nobody is there"
        assert is_refused(await post(session, f"{url}/x", json={}))
    assert (resolver.asked, inside.asked) == (2, [])


async def test_of_several_addresses_only_those_that_are_allowed_are_tried(inside: Inside) -> None:
    url = f"http://hooks.example:{inside.port}"
    reachable = Reachable.parse("127.0.0.1/32").naming([url], private=False)
    async with client(Hostile(["169.254.169.254", "127.0.0.1", "10.0.0.1"]), reachable) as session:
        assert await post(session, f"{url}/x", json={}) == Reply({"result": "pass"})
    assert inside.asked == ["/x"]


async def test_an_address_in_a_url_is_judged_though_nobody_resolves_it(inside: Inside) -> None:
    async with client(Hostile(["1.1.1.1"])) as session:
        for host in ("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f000001", "017700000001", "127.1"):
            answer = await get(session, f"http://{host}:{inside.port}/x")
            assert isinstance(answer, Silence), host
    assert inside.asked == []


async def test_numbers_that_a_resolver_takes_for_addresses_are_judged(inside: Inside) -> None:
    named = PUBLIC.naming([f"http://{host}:{inside.port}" for host in ("2130706433", "0x7f.1", "0177.1")], private=True)
    async with open_client(2.0, reachable=named) as session:  # the machine's own resolver knows these
        for host in ("2130706433", "0x7f.1", "0177.1"):
            assert isinstance(await get(session, f"http://{host}:{inside.port}/x"), Silence), host
    assert inside.asked == []


async def test_nobody_is_followed_elsewhere(inside: Inside) -> None:
    reachable = PUBLIC.naming([inside.url], private=False)
    async with client(Hostile(), reachable) as session:
        assert await get(session, f"{inside.url}/redirect") == Silence("it answered with status 302")
        with pytest.raises(
            aiohttp.ClientOSError, match="not one that may be asked"
        ):  # where somebody forgot to say so, the guard looks at each hop
            await session.get(f"{inside.url.replace('127.0.0.1', 'localhost')}/redirect")
    assert inside.asked == ["/redirect"]


async def test_schemes_and_ports_are_judged(inside: Inside) -> None:
    async with client(Hostile(["127.0.0.1"]), Reachable.parse("127.0.0.0/8")) as session:
        assert is_refused(await get(session, f"http://hooks.example:{inside.port}/x"))
        assert isinstance(await get(session, "ftp://hooks.example/x"), Silence)
        assert isinstance(await get(session, "file:///etc/passwd"), Silence)
    assert inside.asked == []


async def test_no_proxy_of_the_environment_is_taken(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", inside.url)
    async with client(Hostile(["127.0.0.9"]), Reachable.parse("127.0.0.9")) as session:
        assert isinstance(await get(session, "http://hooks.example/x"), Silence)
    assert inside.asked == []


def test_the_socket_is_opened_for_nothing_that_was_not_judged() -> None:
    guard = Guard(PUBLIC, Hostile())
    with pytest.raises(RefusedAddressError):
        guard.open_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("169.254.169.254", 80)))

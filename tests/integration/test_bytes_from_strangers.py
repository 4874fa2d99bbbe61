"""What both programs do with connections that send no proper request: a problem, a closed connection, and no quotation."""

import gzip
import logging
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import anyio
import pytest
from anyio.abc import SocketStream

from agent.local_api.server import serving_local_api
from agent.local_api.view import AgentView, Policy
from agent.snapshot.store import SnapshotStore
from agent.sync.reporter import Identity
from agent.sync.status import Status
from control_plane.api import reading
from shared.domain.codec import Json, decode
from shared.runtime import connection
from shared.runtime.clock import SystemClock
from shared.runtime.listen import Listen
from tests.fakes.snapshots import snapshot_of
from tests.rig.api import serving_api

CANARY = "canary-8f2e1c"
AUTHORISED = f"GET /healthz HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {CANARY}".encode()


@dataclass
class Program:
    """Where one of the two programs listens, and a token that it knows."""

    port: int
    token: str = ""

    async def send(self, *pieces: bytes, within: float = 5) -> bytes:
        """Everything that is answered until the connection is closed."""
        answer = b""
        async with await anyio.connect_tcp("127.0.0.1", self.port) as stream:
            with anyio.fail_after(within):
                for piece in pieces:
                    await stream.send(piece)
                try:
                    while True:
                        answer += await stream.receive()
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    return answer


@pytest.fixture(params=["control plane", "agent"])
async def program(request: pytest.FixtureRequest, migrated_url: str) -> AsyncIterator[Program]:
    """Each of the two programs (the agent needs no database, but fixtures are asked for before their parameters)."""
    if request.param == "control plane":
        async with serving_api(migrated_url) as api:
            yield Program(int(api.url.rpartition(":")[2]), api.operator)
        return
    store, status, clock = SnapshotStore(snapshot_of(1, {"a": 1})), Status(), SystemClock()
    view = AgentView(
        store=store,
        status=status,
        clock=clock,
        identity=Identity("one", "1", {}),
        sync=_agree,
        policy=Policy(),
        state_dir="/state",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agent.local_api.lane.lane.LOOK_EVERY", 0.1)
        async with serving_local_api(view, Listen("127.0.0.1", 0)) as listen:
            yield Program(listen.port)


async def _agree() -> bool:
    return True


def problem(answer: bytes) -> tuple[int, dict[str, Json]]:
    """The status and the document of an answer that closes its connection."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *headers = head.decode().split("\r\n")
    assert "Content-Type: application/problem+json" in headers
    assert status.startswith("HTTP/1.0") or "Connection: close" in headers
    assert not any("aiohttp" in each or "Python" in each for each in headers)
    document = decode(body)
    assert document["status"] == int(status.split()[1])
    assert document["instance"]
    return document["status"], document


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        (AUTHORISED + b"x" * 20_000 + b"\r\n\r\n", 431),
        (b"GET /healthz?" + CANARY.encode() * 1_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 431),
        (b"GET /v1/configs?" + b"a=1&" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 431),
        (AUTHORISED + b"\r\n" + b"X-One: 1\r\n" * 200 + b"\r\n", 400),
        (AUTHORISED + b"\r\nX-\x00Bad: 1\r\n\r\n", 400),
        (AUTHORISED + b"\x00\x01\r\n\r\n", 400),
        (AUTHORISED + b"\r\nno colon here\r\n\r\n", 400),
        (AUTHORISED + b"\r\n folded: 1\r\n\r\n", 400),
        (AUTHORISED + b"\nX-Injected: 1\r\n\r\n", 400),
        (AUTHORISED + b"\r\nContent-Length: -1\r\n\r\n", 400),
        (AUTHORISED + b"\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (AUTHORISED + b"\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (AUTHORISED + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + CANARY.encode() + b"\r\n", 400),
        (f"{CANARY}\r\n\r\n".encode(), 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + CANARY.encode() + b"\r\n\r\n", 400),
        (b"GET /\x00" + CANARY.encode() + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/7.5\r\nAuthorization: Bearer " + CANARY.encode() + b"\r\n\r\n", 400),
    ],
    ids=range(17),
)
async def test_what_cannot_be_read_is_a_problem_and_is_quoted_nowhere(
    program: Program, caplog: pytest.LogCaptureFixture, request_bytes: bytes, expected: int
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = await program.send(request_bytes)
    status, document = problem(answer)
    assert status == expected
    assert CANARY.encode() not in answer
    formatter = logging.Formatter()
    lines = [f"{formatter.format(each)} {each.__dict__}" for each in caplog.records]
    assert not [each for each in lines if CANARY in each]
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert any(str(document["instance"]) in each for each in lines)


async def test_a_path_that_is_not_there_is_named(program: Program) -> None:
    for path, told in (
        (b"/nope", "/nope."),
        (b"/caf\xc3\xa9", "/caf"),
        (b"/\xff\xfe", "/\\udcff"),
        (b"/" + b"x" * 5_000, "x…."),
        (b"/%00%0a", "/%00%0a"),
    ):
        request = b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        answer = await program.send(request)
        if answer.startswith(b"HTTP/1.0 400"):  # the parser may refuse such bytes altogether
            continue
        status, document = problem(answer)
        assert status == 404
        assert told in str(document["detail"])


async def test_a_method_that_is_not_there_is_named_with_those_that_are(program: Program) -> None:
    answer = await program.send(b"PUT /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    status, document = problem(answer)
    assert (status, document["detail"]) == (405, "PUT is not available at /healthz; GET, HEAD are.")


async def test_no_answer_says_what_it_is_made_of(program: Program) -> None:
    for path in (b"/healthz", b"/readyz", b"/status", b"/metrics", b"/v1/configs", b"/v1/values/a", b"/api/v1/apps"):
        answer = await program.send(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert b"\r\nServer: trimtab\r\n" in answer, path


async def test_bytes_that_are_not_text_do_not_break_an_answer(program: Program) -> None:
    for path in (b"/v1/configs/\xff", b"/v1/values/%ff", b"/api/v1/apps/\xff", b"/v1/configs?prefix=\xff"):
        request = b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Request-Id: \xff\r\n\r\n"
        assert b" 500 " not in (await program.send(request)).partition(b"\r\n")[0], path


async def test_a_connection_that_brings_no_request_is_closed(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_REQUEST_TIMEOUT", 0.3)
    assert await program.send() == b""
    async with await anyio.connect_tcp("127.0.0.1", program.port) as stream:
        with pytest.raises(anyio.BrokenResourceError), anyio.fail_after(5):
            await _trickle(stream)


async def _trickle(stream: SocketStream) -> None:
    """Send a head that never ends, byte by byte."""
    while True:
        for byte in AUTHORISED:
            await stream.send(bytes([byte]))
            await anyio.sleep(0.02)


async def test_a_connection_that_brought_one_may_wait_before_the_next(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "FIRST_REQUEST_TIMEOUT", 0.2)
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with await anyio.connect_tcp("127.0.0.1", program.port) as stream:
        for _ in range(2):
            await stream.send(request)
            with anyio.fail_after(5):
                assert (await stream.receive()).startswith(b"HTTP/1.1 200")
            await anyio.sleep(0.4)


def posted(token: str, *headers: bytes) -> bytes:
    """The head of a request that an operator may send to the control plane."""
    head = f"POST /api/v1/apps HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close"
    return b"\r\n".join([head.encode(), b"Content-Type: application/json", *headers, b"", b""])


@pytest.mark.parametrize("program", ["control plane"], indirect=True)
@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ([b"Content-Length: 50"], b'{"app_id": "shop"}'),
        ([b"Transfer-Encoding: chunked"], b"zz\r\n"),
        ([b"Transfer-Encoding: chunked"], b'5\r\n{"app'),
        ([b"Content-Length: 50", b"Content-Encoding: gzip"], b"\x1f\x8b\x08\x00\x00"),
    ],
)
async def test_a_body_that_never_ends_is_waited_for_only_so_long(
    program: Program, monkeypatch: pytest.MonkeyPatch, headers: list[bytes], body: bytes
) -> None:
    monkeypatch.setattr(reading, "BODY_TIMEOUT", 0.3)
    status, _ = problem(await program.send(posted(program.token, *headers), body))
    assert status == 400


@pytest.mark.parametrize("program", ["control plane"], indirect=True)
async def test_a_body_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(program: Program) -> None:
    bomb = gzip.compress(b" " * 400_000_000, 9)
    head = posted(program.token, b"Content-Encoding: gzip", b"Content-Length: %d" % len(bomb))
    status, document = problem(await program.send(head + bomb))
    assert (status, document["limit"]) == (413, "body_bytes")


@pytest.mark.parametrize("program", ["control plane"], indirect=True)
async def test_thousands_of_parameters_are_quickly_refused(program: Program) -> None:
    head = f"Host: localhost\r\nAuthorization: Bearer {program.token}\r\nConnection: close\r\n\r\n".encode()
    for query in ("&".join(["a"] * 4_000), "&".join(f"{number:x}" for number in range(1_500))):
        answer = await program.send(b"GET /api/v1/apps?" + query.encode() + b" HTTP/1.1\r\n" + head, within=1)
        assert problem(answer)[0] == 422


def statuses(answer: bytes) -> list[bytes]:
    return re.findall(rb"HTTP/1\.[01] ([0-9]{3}) ", answer)


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
_BEGINNING = b"POST /healthz HTTP/1.1\r\nHost: localhost\r\n"


_AMBIGUOUS = [
    b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    b"X: 1\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"X: 1\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"X: 1\x00\r\nContent-Length: 0\r\n\r\n",
    b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
    b"Content-Length: 0, 5\r\n\r\n",
    b"Content-Length: +0\r\n\r\n",
    b"Content-Length: 0x5\r\n\r\n",
    b"Content-Length: 5 5\r\n\r\n",
    b"Content-Length: 1_0\r\n\r\n",
    b"Content-Length: 99999999999999999999999999\r\n\r\n",
    b"Content-Length : 0\r\n\r\n",
    b" Content-Length: 0\r\n\r\n",
    b"Content-Length\x00: 0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n0\n\n",
    b"Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n1;a\nb=c\r\nx\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n0\r\nX Y: 1\r\n\r\n",
]
_LENIENT = [
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET\t/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /healthz HTTP/1.1 \r\nHost: localhost\r\n\r\n",
    b"GET /healthz HTTP/01.1\r\nHost: localhost\r\n\r\n",
    b"GET /healthz\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n: 1\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n(X): 1\r\n\r\n",
    b"GET http://evil.example/healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: localhost@evil.example\r\nConnection: close\r\n\r\n",
    b"CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    b"TRACE /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Secret: canary-8f2e1c\r\n\r\n",
]


async def test_nothing_is_smuggled_in_what_two_servers_might_read_differently(program: Program) -> None:
    """Where a body ends must be beyond doubt: if not, the connection ends, and what follows is nobody's request."""
    for head_and_body in _AMBIGUOUS:
        answer = await program.send(_BEGINNING + head_and_body + SMUGGLED)
        assert b"/smuggled" not in answer
        assert statuses(answer) == [b"400"], (head_and_body, answer)


async def test_what_only_a_lenient_server_would_take_is_refused(program: Program) -> None:
    for request_bytes in _LENIENT:
        answer = await program.send(request_bytes)
        assert all(each.startswith(b"4") for each in statuses(answer)), (request_bytes, answer)
        assert b'"ok"' not in answer
        assert CANARY.encode() not in answer


async def test_a_chunk_may_have_an_extension_and_the_next_request_comes_after_it(program: Program) -> None:
    body = b"Transfer-Encoding: chunked\r\n\r\n1;name=value\r\nx\r\n0\r\n\r\n"
    ending = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = await program.send(_BEGINNING + body + ending)
    assert statuses(answer) == [b"405", b"200"]


async def test_the_head_of_a_further_request_has_its_time_too(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEAD_TIMEOUT", 0.3)
    async with await anyio.connect_tcp("127.0.0.1", program.port) as stream:
        await stream.send(b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
        with anyio.fail_after(10):
            assert (await stream.receive()).startswith(b"HTTP/1.1 40")
            with pytest.raises(anyio.BrokenResourceError):
                await _trickle(stream)

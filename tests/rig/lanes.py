"""Requests of every kind, good and bad, and what raw sockets get for them: to hold one lane against the other."""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import anyio

from shared.domain.codec import encode

KEYS = (
    "plain",
    "text",
    "flag",
    "rollout",
    "secret",
    "missing",
    "swedes",
    "a.b-c_d",
    "..",
    ".x",
    "a%2Eb",
    "a%20b",
    "%ff",
    "",
)
QUERIES = (
    "", "?", "?targetingKey=ada", "?targetingKey=u-7&country=SE", "?country=SE&groups=a,b&groups=c", "?age:=30&x=1",
    "?age:=oops", "?prefix=r", "?prefix=r&targetingKey=bo", "?a=%41+b&b=%ff", "?a&b=&=c", "?agent.instance=me", "?wait=1ms",
    "?wait=never", "?x=" + "y" * 1_100, "?a=1#part", "?\xe4=1", '?q="x"', "?" + "&".join(f"a{n}=1" for n in range(110)),
)  # fmt: skip
PATHS = (
    "/v1/configs", "/healthz", "/readyz", "/v1/nothing", "/", "*", "//v1/configs", "/v1//configs", "/v1/configs/",
    "/v1/./configs", "/v1/configs/../values/plain", "/V1/configs", "/v1/explain/plain", "http://localhost/v1/values/plain",
    "http://localhost:1/v1/configs", "/v1/values/plain/more", "/ofrep/v1/evaluate/flags", "/v1/sync/no",
)  # fmt: skip
CONTEXTS: Sequence[object] = (
    {}, None, {"targetingKey": "ada"}, {"targetingKey": "u-7", "country": "SE"}, {"groups": ["a"], "age": 30}, {"a": {"b": 1}},
    {"targetingKey": 7}, [], "text",
)  # fmt: skip
_STRANGE_SHARE = 0.06
HEADERS = (
    "Accept: */*",
    "Accept: text/plain",
    "Accept: application/json;q=0.1, text/*",
    "Accept: image/png",
    "Accept: text/html\r\nAccept: */*",
    'If-None-Match: "nothing"',
    "If-None-Match: *",
    "If-None-Match: {etag}",
    'If-None-Match: "x", {etag}',
    "Accept-Encoding: gzip",
    "Accept-Encoding: br, gzip;q=0",
    "Connection: keep-alive",
    "X-Request-Id: abc-1",
    "X-Request-Id: a b",
    "Origin: http://evil.example",
    "Origin: http://localhost",
    "Authorization: Bearer nonsense",
    "X-Forwarded-For: 10.0.0.1",
    "Via: 1.1 proxy",
    "X-Large: " + "v" * 3_900,
    "X-Latin: \xe4",
    "X-Empty:",
    "X-Tab:\tv\t",
    "Te: trailers",
    "Cookie: a=b",
    "Content-Type: application/json",
    "Content-Type: text/xml",
    "Keep-Alive: timeout=5",
)
"""Headers that a request may well have."""
STRANGE = (
    "Connection: close",
    "Connection: keep-alive, close",
    "Connection: Upgrade\r\nUpgrade: websocket",
    "Upgrade: h2c",
    "Expect: 100-continue",
    "Expect: more",
    "X-Huge: " + "v" * 9_000,
    "X-Fold: a\r\n b",
    "X-Nul: a\0b",
    "NoColon",
    "X Space: 1",
    "X-Before : 1",
    "Host: localhost",
    "Content-Length: 0",
    "Content-Length: -1",
    "Content-Length: 1e3",
    "Content-Length: 00",
    "Content-Encoding: gzip",
    "\r\nX-Late: 1",
)
"""Headers after which a connection often ends."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """What one client sends: bytes in pieces. `half`: it ends in the middle of one."""

    pieces: tuple[bytes, ...]
    requests: int
    half: bool


class Requests:
    """Makes conversations, the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - no secret
        self.etag = '"0"'

    def conversation(self) -> Conversation:
        """Some requests on one connection; the last one ends it."""
        pick = self._random
        count = pick.choice((1, 1, 2, 3, 6))
        sent = b"".join(self._request() for _ in range(count))
        half = pick.random() < 0.05
        if half:
            sent = sent[: pick.randrange(len(sent))]
        else:
            sent += b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        return Conversation(tuple(self._pieces(sent)), count, half)

    def _request(self) -> bytes:
        pick = self._random
        if pick.random() < 0.35:
            return self._question()
        method = pick.choices(
            ("GET", "HEAD", "POST", "PUT", "OPTIONS", "get", "BREW", "G\0T"), (300, 50, 10, 5, 5, 1, 1, 1)
        )[0]
        version = pick.choices(("HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1", ""), (300, 4, 1, 1, 1, 1))[
            0
        ]
        return self._said(f"{method} {self._target()} {version}", b"")

    def _target(self) -> str:
        pick = self._random
        if pick.random() < 0.25:
            return pick.choice(PATHS) + pick.choice(QUERIES)
        return f"/v1/{pick.choice(('values', 'configs'))}/{pick.choice(KEYS)}{pick.choice(QUERIES)}"

    def _question(self) -> bytes:
        """A POST that evaluates."""
        pick = self._random
        path = pick.choice(
            ("/v1/evaluate", "/ofrep/v1/evaluate/flags", f"/ofrep/v1/evaluate/flags/{pick.choice(KEYS)}")
        )
        document: dict[str, object] = {"context": pick.choice(CONTEXTS)}
        if path == "/v1/evaluate" and pick.random() < 0.6:
            document["keys"] = pick.sample(KEYS[:7], pick.randrange(4))
        body = pick.choices((encode(document), b"", b"{", b"[]", b"\xff", b"x" * 70_000), (90, 3, 3, 2, 1, 1))[0]
        return self._said(f"POST {path} HTTP/1.1", body, framed=True)

    def _said(self, line: str, body: bytes, *, framed: bool = False) -> bytes:
        pick = self._random
        headers = [] if pick.random() < 0.02 else ["Host: localhost" if pick.random() < 0.97 else "Host: evil.example"]
        headers += [each.replace("{etag}", self.etag) for each in self._fields()]
        if framed and pick.random() < 0.1:
            headers.append("Transfer-Encoding: chunked")
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        elif framed or pick.random() < 0.02:
            body = body if framed else b"body"
            headers += [f"Content-Length: {len(body)}", *(["Content-Type: application/json"] if framed else [])]
        pick.shuffle(headers)
        end = "\n" if pick.random() < 0.01 else "\r\n"
        return end.join([line, *headers, "", ""]).encode("latin-1") + body

    def _fields(self) -> list[str]:
        pick = self._random
        fields = pick.sample(HEADERS, pick.choices((0, 1, 2, 4), (50, 30, 15, 5))[0])
        return [*fields, pick.choice(STRANGE)] if pick.random() < _STRANGE_SHARE else fields

    def _pieces(self, sent: bytes) -> Iterator[bytes]:
        """Mostly in one piece; else split anywhere."""
        cuts = sorted(
            self._random.randrange(1, max(2, len(sent)))
            for _ in range(self._random.choices((0, 1, 3), (70, 20, 10))[0])
        )
        for begin, end in zip((0, *cuts), (*cuts, len(sent)), strict=True):
            yield sent[begin:end]


async def heard(port: int, conversation: Conversation) -> bytes:
    """All that one lane answers, until it ends the connection."""
    received = bytearray()
    async with await anyio.connect_tcp("127.0.0.1", port) as stream, anyio.create_task_group() as group:

        async def send() -> None:
            try:
                for piece in conversation.pieces:
                    await stream.send(piece)
                    await anyio.lowlevel.checkpoint()
                if conversation.half:
                    await stream.send_eof()
            except anyio.BrokenResourceError:  # it was refused in the middle
                return

        group.start_soon(send)
        try:
            async for part in stream:
                received += part
        except anyio.BrokenResourceError:
            pass
        group.cancel_scope.cancel()
    return bytes(received)


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer, without what may differ from one time to the next."""

    status: int
    headers: frozenset[tuple[str, str]]
    body: bytes


_HEAD = re.compile(rb"HTTP/\d\.\d (\d{3})[^\r]*\r\n(.*?)\r\n\r\n", re.DOTALL)
_INSTANCE = re.compile(rb'"instance":"[^"]*",')
_CHANGING = ("date", "x-request-id")


def answers(received: bytes) -> Iterator[Answered]:
    """What was answered. Where an answer follows at once upon a head, that was one for a HEAD."""
    at = 0
    while at < len(received):
        found = _HEAD.match(received, at)
        if found is None:
            yield Answered(0, frozenset(), received[at:])
            return
        headers = [line.partition(": ")[::2] for line in found[2].decode("latin-1").split("\r\n")]
        named = {name.lower(): value for name, value in headers}
        begin = found.end()
        follows = _HEAD.match(received, begin) is not None
        at = begin if follows else begin + int(named.get("content-length", "0"))
        told = frozenset((name, value) for name, value in named.items() if name not in _CHANGING)
        yield Answered(int(found[1]), told, _body(received[begin:at]))


def _body(body: bytes) -> bytes:
    """A problem without its request id, which is the last of those of the answer."""
    return _INSTANCE.sub(b"", body)

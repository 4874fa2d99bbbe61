"""The header block of a request: parsed strictly once, then known by its bytes. Clients send the same one again and again."""

from collections.abc import Mapping
from dataclasses import dataclass

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from agent.local_api.errors import ProblemError
from agent.local_api.guard import Guard

MAX_HEADS = 1_024
"""Blocks that are known; then all are forgotten and learnt again."""
MAX_BLOCK = 4 * 1024
"""Bytes of a block; aiohttp judges larger ones."""
_LINE = b"GET / HTTP/1.1\r\n"
_FOREIGN = -1
_OTHERS = frozenset(
    {
        "connection",
        "content-encoding",
        "expect",
        "http2-settings",
        "keep-alive",
        "origin",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-request-id",
    }
)
"""Headers that say something of the connection or need a second look: such requests are aiohttp's."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a block says. `length` is that of the body; negative if the request is not one for the fast lane."""

    headers: Mapping[str, str]
    length: int


class Heads:
    """Reads header blocks. Whoever may not call at all, by Host, is left to aiohttp, which says so."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self.known: dict[bytes, Head] = {}

    def read(self, block: bytes) -> Head:
        """What a block says, without its last header's line end."""
        head = self.known.get(block)
        if head is None:
            if len(self.known) >= MAX_HEADS:
                self.known.clear()
            head = self.known[block] = self._parse(block)
        return head

    def _parse(self, block: bytes) -> Head:
        found = _Fields()
        try:
            parser = HttpRequestParser(found)
            parser.feed_data(_LINE + block + b"\r\n\r\n")
        except (HttpParserError, HttpParserUpgrade):
            return Head({}, _FOREIGN)
        headers = found.headers
        plain = (
            len(block) <= MAX_BLOCK
            and block.isascii()
            and found.complete
            and not found.repeated
            and not parser.should_upgrade()
            and _lasting(headers)
            and self._admits(headers)
        )
        return Head(headers, _length(headers) if plain else _FOREIGN)

    def _admits(self, headers: Mapping[str, str]) -> bool:
        try:
            self._guard.admit(headers["host"], None)
        except (KeyError, ProblemError):
            return False
        return True


class _Fields:
    """What the parser finds."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.repeated = self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        lower = name.decode("latin-1").lower()
        self.repeated |= lower in self.headers
        self.headers[lower] = value.decode("latin-1").strip(" \t")

    def on_headers_complete(self) -> None:
        """All of them."""
        self.complete = True


def _lasting(headers: Mapping[str, str]) -> bool:
    """Whether the connection goes on as it is after this request."""
    others = headers.keys() & _OTHERS
    return not others or (others == {"connection"} and headers["connection"].lower() == "keep-alive")


def _length(headers: Mapping[str, str]) -> int:
    length = headers.get("content-length", "0")
    return int(length) if length.isdigit() and len(length) <= len("65536") else _FOREIGN

"""A load generator for one URL: keep-alive connections that send the same bytes and wait for each answer.

It does as little per answer as Python can, so that what is measured is the server.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import cast

import anyio

_PATIENCE = 10.0
"""Seconds that the last answers may take."""


@dataclass(slots=True)
class Tally:
    """What a run saw: the duration of each answer in seconds, its size, and answers that were not 200."""

    durations: list[float] = field(default_factory=list)
    refused: int = 0
    size: int = 0


class _Connection(asyncio.Protocol):
    """One connection: sends, waits for a whole answer (by Content-Length), sends again until told to stop."""

    def __init__(self, request: bytes, tally: Tally, until: float) -> None:
        self.request, self.tally, self.until = request, tally, until
        self.done = asyncio.get_running_loop().create_future()
        self.missing = 0
        self.head = b""
        self.sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's own class does not say so
        self._send()

    def _send(self) -> None:
        self.sent = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        if self.missing:
            self.missing -= len(data)
        else:
            self.head += data
            end = self.head.find(b"\r\n\r\n")
            if end < 0:
                return
            self.tally.size = _content_length(self.head[:end])
            self.missing = self.tally.size - (len(self.head) - end - 4)
            self.tally.refused += not self.head.startswith(b"HTTP/1.1 200")
            self.head = b""
        if self.missing <= 0:
            self._answered()

    def _answered(self) -> None:
        self.missing = 0
        now = time.perf_counter()
        self.tally.durations.append(now - self.sent)
        if now < self.until:
            self._send()
        else:
            self.transport.close()

    def connection_lost(self, _exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


def _content_length(head: bytes) -> int:
    lower = head.lower()
    start = lower.index(b"content-length:") + len(b"content-length:")
    end = lower.find(b"\r\n", start)
    return int(lower[start : end if end >= 0 else None])


async def get(host: str, port: int, path: str, *, connections: int, seconds: float, token: str = "") -> Tally:
    """GET one path over this many connections for this long."""
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n{authorization}Accept: */*\r\n\r\n".encode()
    tally = Tally()
    until = time.perf_counter() + seconds
    loop = asyncio.get_running_loop()

    async def one() -> None:
        _, protocol = await loop.create_connection(lambda: _Connection(request, tally, until), host, port)
        await protocol.done

    with anyio.fail_after(seconds + _PATIENCE):
        async with anyio.create_task_group() as group:
            for _ in range(connections):
                group.start_soon(one)
    return tally

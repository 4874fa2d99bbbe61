"""A TCP proxy that stands between a client and a real server and breaks the line on command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum, auto
from urllib.parse import urlsplit, urlunsplit

import anyio
from anyio.abc import AnyByteStream, SocketAttribute, SocketStream

_BROKEN = (OSError, anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)


class Line(Enum):
    """What the line does with new connections and with bytes."""

    WHOLE = auto()
    REFUSING = auto()
    """New connections are closed at once; old ones go on."""
    SILENT = auto()
    """Connections stand, new ones too, and nothing gets through: what a dropped cable looks like."""


class FaultProxy:
    """Forwards to one address. Its own address stays the same through every fault."""

    def __init__(self, host: str, port: int, target: tuple[str, int]) -> None:
        self.host, self.port = host, port
        self.accepted = 0
        self.delay = 0.0
        """Seconds by which each piece of bytes comes late, in both directions."""
        self._target = target
        self._line = Line.WHOLE
        self._flowing = anyio.Event()
        self._flowing.set()
        self._connections: set[anyio.CancelScope] = set()

    def url(self, original: str) -> str:
        """The same URL, by way of this proxy."""
        parts = urlsplit(original)
        login, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{login}{at}{self.host}:{self.port}"))

    def cut(self) -> None:
        """Break all connections of this moment; new ones are as welcome as before."""
        for scope in tuple(self._connections):
            scope.cancel()

    def refuse(self) -> None:
        """Break all connections and accept no new ones until `heal`."""
        self._become(Line.REFUSING)
        self.cut()

    def blackhole(self) -> None:
        """Swallow nothing and pass nothing on until `heal` or `cut`."""
        self._become(Line.SILENT)

    def heal(self) -> None:
        """Be a plain wire again. What a black hole held back is delivered."""
        self.delay = 0.0
        self._become(Line.WHOLE)

    def _become(self, line: Line) -> None:
        self._line = line
        if line is Line.SILENT:
            self._flowing = anyio.Event()
        else:
            self._flowing.set()

    async def _serve(self, client: SocketStream) -> None:
        async with client:
            if self._line is Line.REFUSING:
                return
            self.accepted += 1
            with anyio.CancelScope() as scope:
                self._connections.add(scope)
                try:
                    await self._join(client)
                finally:
                    self._connections.discard(scope)

    async def _join(self, client: SocketStream) -> None:
        await self._flowing.wait()
        try:
            server = await anyio.connect_tcp(*self._target)
        except OSError:
            return
        async with server, anyio.create_task_group() as both_ways:
            both_ways.start_soon(self._pump, client, server, both_ways.cancel_scope)
            both_ways.start_soon(self._pump, server, client, both_ways.cancel_scope)

    async def _pump(self, source: AnyByteStream, sink: AnyByteStream, both_ways: anyio.CancelScope) -> None:
        try:
            async for piece in source:
                await anyio.sleep(self.delay)
                await self._flowing.wait()
                await sink.send(piece)
        except _BROKEN:
            pass
        both_ways.cancel()


@asynccontextmanager
async def fault_proxy(url: str) -> AsyncIterator[FaultProxy]:
    """A proxy before the server that a URL names; `proxy.url(url)` leads through it."""
    parts = urlsplit(url)
    if parts.hostname is None or parts.port is None:
        msg = f"a proxy needs a host and a port to forward to, and {url!r} names none"
        raise ValueError(msg)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - no Django here
    proxy = FaultProxy("127.0.0.1", port, (parts.hostname, parts.port))
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, proxy._serve)
        yield proxy
        group.cancel_scope.cancel()

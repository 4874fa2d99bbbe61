"""`GET /ofrep/v1/sse`: tells clients to fetch their flags again. It carries no values, so it need not know who asks."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlencode

import anyio
from aiohttp import web

from agent.local_api.adapter import asked_of
from agent.local_api.asked import Asked
from agent.local_api.errors import ProblemError
from agent.local_api.guard import Guard
from agent.local_api.ofrep.credentials import with_bearer
from agent.local_api.ofrep.paths import STREAM
from agent.local_api.ofrep.position import Position
from agent.local_api.ofrep.tickets import Tickets
from agent.snapshot.model import Snapshot
from shared.domain.codec import encode
from shared.runtime.connection import SERVER
from shared.wire.problem import Problem, ProblemType
from shared.wire.sse import CONTENT_TYPE, comment, frame

HEARTBEAT = 15.0
"""Seconds of silence after which a comment shows that the connection stands."""
MAX_READERS = 256
PATIENCE = 30.0
"""Seconds within which a reader must take what it is sent."""
INACTIVITY = 120
"""Seconds after which the page of a hidden tab may close its stream, as the protocol has it."""

_COMMENT = comment("heartbeat")
_MAX_TOLD_ID = 128


class Streams:
    """All open streams, and the addresses at which they are offered.

    A reader is behind as soon as its position is not ours; it is told so once, however much happened. So a slow one costs
    nothing, and one that reconnects, or that comes after the change, hears of what it missed.
    """

    def __init__(self, position: Position, tickets: Tickets, guard: Guard, heartbeat: float = HEARTBEAT) -> None:
        self._position, self._tickets, self._guard, self._heartbeat = position, tickets, guard, heartbeat
        self._readers: set[_Reader] = set()

    @property
    def readers(self) -> int:
        """How many streams are open."""
        return len(self._readers)

    def offered(self, asked: Asked) -> bytes:
        """`eventStreams` of a bulk answer. The address is the one by which we were called, or stands below it."""
        query = {"since": self._position.text}
        if ticket := self._tickets.current():
            query["ticket"] = ticket
        at, host = f"{STREAM}?{urlencode(query)}", self._guard.called(asked)
        where = {"url": f"http://{host}{at}"} if host else {"endpoint": {"requestUri": at}}
        return encode([{"type": "sse", **where, "inactivityDelaySec": INACTIVITY}])

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """An event whenever the reader is behind, until it goes away."""
        self._admit(await asked_of(request), request.query.get("ticket", ""))
        response = web.StreamResponse(
            headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store", "Server": SERVER}
        )
        seen = request.headers.get("Last-Event-ID") or request.query.get("since") or self._position.text
        with self._reading(seen[:_MAX_TOLD_ID]) as reader, reader.scope:
            try:
                await response.prepare(request)
                await response.write(_COMMENT)
                await self._tell(reader, response)
            except (ConnectionError, TimeoutError):  # it went away, or takes nothing
                if request.transport is not None:
                    request.transport.abort()
        return response

    def swapped(self, old: Snapshot, new: Snapshot) -> None:
        """Wake all readers."""
        self._position.moved(old, new)
        self._wake()

    def time_passed(self, _snapshot: Snapshot, _keys: Sequence[str]) -> None:
        """Wake all readers."""
        self._position.passed()
        self._wake()

    async def close(self, _app: web.Application | None = None) -> None:
        """End all streams, so that a stopping agent does not wait for them."""
        for reader in tuple(self._readers):
            reader.scope.cancel()

    async def _tell(self, reader: "_Reader", response: web.StreamResponse) -> None:
        while True:
            if behind := reader.seen != self._position.text:
                reader.seen = self._position.text
            elif await reader.woken(self._heartbeat):
                continue
            with anyio.fail_after(PATIENCE):
                await response.write(self._event() if behind else _COMMENT)

    def _event(self) -> bytes:
        document = {
            "type": "refetchEvaluation",
            "etag": self._position.etag,
            "lastModified": self._position.since,
        }
        return frame("message", encode(document), self._position.text)

    def _admit(self, asked: Asked, ticket: str) -> None:
        if len(self._readers) >= MAX_READERS:
            detail = f"{MAX_READERS} event streams are open already."
            raise ProblemError(Problem(ProblemType.TOO_MANY_REQUESTS, detail, retry_after=5))
        if not self._tickets.needed or self._tickets.admits(ticket):
            return
        if not self._guard.shows_sensitive(with_bearer(asked)):
            detail = "Open the stream at the address in the newest answer to POST /ofrep/v1/evaluate/flags."
            raise ProblemError(Problem(ProblemType.UNAUTHENTICATED, detail))

    def _wake(self) -> None:
        for reader in self._readers:
            reader.wake()

    @contextmanager
    def _reading(self, seen: str) -> Iterator["_Reader"]:
        reader = _Reader(seen)
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)


class _Reader:
    """One open stream: the position that it knows of, and its end."""

    def __init__(self, seen: str) -> None:
        self.seen = seen
        self.scope = anyio.CancelScope()
        self._news = anyio.Event()

    def wake(self) -> None:
        self._news.set()

    async def woken(self, patience: float) -> bool:
        """Whether something happened before the patience ended."""
        with anyio.move_on_after(patience):
            await self._news.wait()
        woken, self._news = self._news.is_set(), anyio.Event()
        return woken

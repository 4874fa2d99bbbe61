"""One client's connection in the fast lane.

A request is answered where its bytes arrive: by the memo, or else parsed just far enough to reach its face. At the first
request that is not one of ours the transport is handed to aiohttp with everything that has not been answered, and this
connection is aiohttp's from then on.
"""

import asyncio
from collections.abc import Callable

from agent.local_api.asked import Asked
from agent.local_api.errors import ProblemError, problem_reply
from agent.local_api.lane.lane import Lane
from agent.local_api.lane.parts import MAX_BODY, MAX_TARGET, ForeignError
from agent.local_api.lane.routes import Route

_MAX_WAITING = MAX_TARGET + 8 * 1024 + MAX_BODY
"""Bytes of a request that has not come as a whole; more of one are aiohttp's."""


class LaneConnection(asyncio.BufferedProtocol):
    """Reads requests, in their order, and writes their answers; nothing is read from who does not take answers."""

    __slots__ = ("_behind", "_lane", "_memo", "_paused", "_transport", "_waiting", "heard", "new", "used")

    def __init__(self, lane: Lane, behind: Callable[[], asyncio.Protocol]) -> None:
        self._lane, self._memo, self._behind = lane, lane.memo, behind
        self._waiting = b""
        self._paused, self.used, self.new = False, False, True
        self.heard = asyncio.get_running_loop().time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream's protocol gets nothing else
        self._transport = transport
        self._lane.joined(self)

    def connection_lost(self, exc: BaseException | None) -> None:  # noqa: ARG002 - asyncio's signature
        """It has gone."""
        self._lane.left(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Where the next bytes go: into a buffer of all connections, since none waits there when others are read.

        Otherwise asyncio would allocate a quarter of a megabyte for every request, which costs more than its answer.
        """
        return self._lane.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Answer a request that is known by its bytes; look at any other."""
        data, memo = self._lane.buffer[:nbytes].tobytes(), self._memo
        if self._waiting:
            self._read(self._waiting + data)
        elif (kept := memo.entries.get(data)) is not None and memo.holds():
            self.used = True
            kept.again += 1
            self._transport.write(kept.first)
        elif (question := self._lane.parts.again(data)) is None or not self._answer(*question, data):
            self._read(data)

    def pause_writing(self) -> None:
        """The client does not take what it asked for: read no more of it."""
        self._paused = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It does again."""
        self._paused = False
        self._transport.resume_reading()
        if self._waiting:
            self._read(self._waiting)

    def close(self) -> None:
        """Send what is on its way, and end."""
        self._transport.close()

    @property
    def waits(self) -> bool:
        """Whether a part of a request has come, or an answer is not taken."""
        return bool(self._waiting) or self._paused

    def _read(self, data: bytes) -> None:
        """Answer all requests that have come as a whole."""
        self._waiting = b""
        try:
            while data:
                found = None if self._paused else self._lane.parts.first(data)
                if found is None:
                    self._wait(data)
                    return
                route, asked, size = found
                if not self._answer(route, asked, data[:size]):
                    break
                data = data[size:]
        except ForeignError:
            pass
        if data:
            self._hand_over(data)

    def _wait(self, data: bytes) -> None:
        if len(data) > _MAX_WAITING and not self._paused:
            raise ForeignError
        self._waiting = data

    def _answer(self, route: Route, asked: Asked, request: bytes) -> bool:
        """Write what the face says; False if it fails."""
        memo = self._memo
        memo.holds()
        try:
            reply = route.face(asked)
        except ProblemError as error:
            reply = problem_reply(error.problem)
        except Exception:  # noqa: BLE001 - a bug: aiohttp's side meets it again, logs it and answers
            return False
        self.used = True
        bodiless = asked.method == "HEAD"
        kept = None if bodiless else memo.wires.get(reply)
        if kept is None:
            kept = memo.wire(reply, route.path, bodiless=bodiless)
        kept.made += 1
        self._transport.write(kept.first)
        if kept.rest:
            self._transport.write(kept.rest)
        if not kept.stays:
            memo.count(kept)
        elif route.keeps and reply.tally is not None:
            memo.keep(request, kept)
        return True

    def _hand_over(self, data: bytes) -> None:
        """Let aiohttp go on from here."""
        handler = self._behind()
        self._transport.set_protocol(handler)
        self._lane.left(self)
        handler.connection_made(self._transport)
        if self._paused:
            handler.pause_writing()
            self._transport.resume_reading()
        handler.data_received(data)

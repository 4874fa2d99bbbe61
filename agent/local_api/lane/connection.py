"""One client's connection in the fast lane.

A request is answered where its bytes arrive: by the memo, or else parsed just far enough to reach its face. At the first
request that is not one of ours the transport is handed to aiohttp with everything that has not been answered, and this
connection is aiohttp's from then on.
"""

import asyncio
import re
from collections.abc import Callable

from agent.local_api.asked import Asked
from agent.local_api.errors import ProblemError, problem_reply
from agent.local_api.lane.lane import Lane
from agent.local_api.lane.routes import Route
from shared.runtime import connection

MAX_TARGET = 4 * 1024
MAX_BODY = 64 * 1024
_MAX_WAITING = MAX_TARGET + 8 * 1024 + MAX_BODY
"""Bytes of a request that has not come as a whole; more of one are aiohttp's."""
_LINE = re.compile(rb"(GET|HEAD|POST) (/[A-Za-z0-9_./-]*)(?:\?([!-\"$-~]*))? HTTP/1\.1")
_LINE_END, _HEAD_END = b"\r\n", b"\r\n\r\n"
_WAIT = b"wait="


class LaneConnection(asyncio.BufferedProtocol):
    """Reads requests, in their order, and writes their answers; nothing is read from who does not take answers."""

    __slots__ = ("_began", "_behind", "_first", "_lane", "_paused", "_transport", "_waiting", "heard", "used")

    def __init__(self, lane: Lane, behind: Callable[[], asyncio.Protocol]) -> None:
        self._lane, self._behind = lane, behind
        self._waiting = b""
        self._paused = self._began = False
        self.used, self.heard = False, asyncio.get_running_loop().time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream's protocol gets nothing else
        self._transport = transport
        self._lane.joined(self)
        loop = asyncio.get_running_loop()
        self._first = loop.call_later(connection.FIRST_REQUEST_TIMEOUT, self._require_first)

    def connection_lost(self, exc: BaseException | None) -> None:  # noqa: ARG002 - asyncio's signature
        """It has gone."""
        self._first.cancel()
        self._lane.left(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Where the next bytes go: into a buffer of all connections, since none waits there when others are read.

        Otherwise asyncio would allocate a quarter of a megabyte for every request, which costs more than its answer.
        """
        return self._lane.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Answer a request that is known by its bytes; look at any other."""
        lane = self._lane
        data = lane.buffer[:nbytes].tobytes()
        if not self._waiting and (kept := lane.memo.entries.get(data)) is not None and lane.memo.holds():
            self._transport.write(kept.first)
            if kept.rest:
                self._transport.write(kept.rest)
            self.used = True
            kept.again += 1
        else:
            self._read(self._waiting + data if self._waiting else data)

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

    def _require_first(self) -> None:
        """Close a connection that has brought nothing for as long as a first request may take."""
        if not self._began:
            self._transport.abort()

    def _read(self, data: bytes) -> None:
        """Answer all requests that have come as a whole."""
        self._waiting = b""
        while data:
            if self._paused:
                self._waiting = data
                return
            used = self._one(data)
            if used < 0:
                self._hand_over(data)
                return
            if used == 0:
                if len(data) > _MAX_WAITING:
                    self._hand_over(data)
                else:
                    self._waiting = data
                return
            self.used = self._began = True
            data = data[used:]

    def _one(self, data: bytes) -> int:
        """Answer the first request; returns how many bytes it had, 0 if some are missing, -1 if it is not for us."""
        line_end, head_end = data.find(_LINE_END), data.find(_HEAD_END)
        if head_end < 0:
            return 0 if len(data) <= MAX_TARGET and _may_begin(data) else -1
        line = _LINE.fullmatch(data, 0, line_end)
        if line is None or line_end > MAX_TARGET:
            return -1
        head = self._lane.heads.read(data[line_end + 2 : head_end + 2])
        if head.length is None or head.length > MAX_BODY:
            return -1
        method, path, query = line.groups(b"")
        found = self._lane.routes.find(path.decode("ascii"))
        if (
            found is None
            or found[1][:1] == "."
            or method not in found[0].methods
            or (head.length and method != b"POST")
            or _WAIT in query
        ):
            return -1
        end = head_end + 4 + head.length
        if len(data) < end:
            return 0
        route, key = found
        body = data[head_end + 4 : end]
        asked = Asked(method.decode(), path.decode(), query.decode(), head.headers, body, key)
        return end if self._answer(route, asked, data if len(data) == end else data[:end]) else -1

    def _answer(self, route: Route, asked: Asked, request: bytes) -> bool:
        """Write what the face says; False if it fails."""
        lane, memo = self._lane, self._lane.memo
        memo.holds()
        try:
            reply = route.face(asked)
        except ProblemError as error:
            reply = problem_reply(error.problem)
        except Exception:  # noqa: BLE001 - a bug: aiohttp's side meets it again, logs it and answers
            return False
        kept = memo.wire(reply, route.path, bodiless=asked.method == "HEAD")
        self._transport.write(kept.first)
        if kept.rest:
            self._transport.write(kept.rest)
        lane.requests.counts[route.path, reply.status] += 1
        if route.keeps and reply.tally is not None:
            memo.keep(request, kept)
        return True

    def _hand_over(self, data: bytes) -> None:
        """Let aiohttp go on from here."""
        handler = self._behind()
        self._transport.set_protocol(handler)
        self._lane.left(self)
        self._first.cancel()
        handler.connection_made(self._transport)
        if self._paused:
            handler.pause_writing()
            self._transport.resume_reading()
        handler.data_received(data)


def _may_begin(data: bytes) -> bool:
    """Whether this can be the beginning of a request of ours."""
    return data[:1] in {b"G", b"H", b"P"}

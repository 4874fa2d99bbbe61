"""One client's connection in the fast lane.

A request is answered where its bytes arrive: by the memo, or else parsed just far enough to reach its face. At the first
request that is not one of ours the socket is handed to aiohttp with everything that has not been answered, and this
connection is aiohttp's from then on.

It reads and writes its socket itself. asyncio's transports do more than this takes, and cost more than an answer does.
"""

import asyncio
from socket import socket

from agent.local_api.asked import Asked
from agent.local_api.errors import ProblemError, problem_reply
from agent.local_api.lane.lane import Lane
from agent.local_api.lane.parts import MAX_BODY, MAX_TARGET, ForeignError
from agent.local_api.lane.routes import Route

READ = 16 * 1024
"""Bytes that are read at once."""
_MAX_WAITING = MAX_TARGET + 8 * 1024 + MAX_BODY
"""Bytes of a request that has not come as a whole; more of one are aiohttp's."""


class LaneConnection:
    """Reads requests, in their order, and writes their answers; nothing is read from who does not take answers."""

    __slots__ = ("_lane", "_loop", "_memo", "_recv", "_send", "_socket", "_unsent", "_waiting", "heard", "new", "used")

    def __init__(self, lane: Lane, client: socket) -> None:
        self._lane, self._memo, self._loop = lane, lane.memo, asyncio.get_running_loop()
        self._socket, self._recv, self._send = client, client.recv, client.send
        self._waiting, self._unsent = b"", b""
        self.used, self.new, self.heard = False, True, self._loop.time()
        lane.joined(self)
        self._loop.add_reader(client, self._readable)

    @property
    def waits(self) -> bool:
        """Whether a part of a request has come, or an answer is not taken."""
        return bool(self._waiting or self._unsent)

    def close(self) -> None:
        """End it, whatever is on its way."""
        self._leave()
        self._socket.close()

    def _leave(self) -> None:
        self._lane.left(self)
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)

    def _readable(self) -> None:
        """Answer a request that is known by its bytes; look at any other."""
        memo = self._memo
        try:
            data = self._recv(READ)
            if not data:
                self.close()
            elif self._waiting:
                self._read(self._waiting + data)
            elif (kept := memo.entries.get(data)) is not None and memo.holds():
                self.used = True
                kept.again += 1
                self._write(kept.first)
            elif (question := self._lane.parts.again(data)) is None or not self._answer(*question, data):
                self._read(data)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close()
        except BaseException:
            self.close()
            raise

    def _read(self, data: bytes) -> None:
        """Answer all requests that have come as a whole."""
        self._waiting = b""
        try:
            while data:
                found = None if self._unsent else self._lane.parts.first(data)
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
            self._leave()
            self._lane.hand_over(self._socket, self._unsent, data)

    def _wait(self, data: bytes) -> None:
        if len(data) > _MAX_WAITING and not self._unsent:
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
        self._write(kept.first)
        if kept.rest:
            self._write(kept.rest)
        if not kept.stays:
            memo.count(kept)
        elif route.keeps and reply.tally is not None:
            memo.keep(request, kept)
        return True

    def _write(self, data: bytes) -> None:
        """Send at once what can be sent, and the rest when the client takes more; until then nothing is read from it."""
        if self._unsent:
            self._unsent += data
            return
        try:
            sent = self._send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        if sent != len(data):
            self._unsent = data[sent:]
            self._loop.remove_reader(self._socket)
            self._loop.add_writer(self._socket, self._writable)

    def _writable(self) -> None:
        """Send more."""
        try:
            self._unsent = self._unsent[self._send(self._unsent) :]
            if not self._unsent:
                self._loop.remove_writer(self._socket)
                self._loop.add_reader(self._socket, self._readable)
                self._read(self._waiting)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close()
        except BaseException:
            self.close()
            raise

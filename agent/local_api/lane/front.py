"""Accepts connections in place of the server: every new one begins in the fast lane."""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable, Sequence

from agent.local_api.lane.connection import LaneConnection
from agent.local_api.lane.lane import Lane

AT_ONCE = 64
"""Connections that are accepted before those that there are get their turn again."""
PAUSE = 1.0
"""Seconds without accepting, where the machine or the process has no descriptors left."""
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_log = logging.getLogger(__name__)


class LaneFront:
    """Stands in front of aiohttp."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._listeners: Sequence[socket.socket] = ()
        self._later: asyncio.TimerHandle | None = None

    def open(self, listeners: Sequence[socket.socket], behind: Callable[[], asyncio.Protocol]) -> None:
        """Accept from these; what is not for the lane goes on with what `behind` makes."""
        self._listeners = listeners
        self._lane.behind = behind
        self._listen()

    def close(self) -> None:
        """Accept no more."""
        if self._later is not None:
            self._later.cancel()
        self._deaf()
        for each in self._listeners:
            each.close()

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for each in self._listeners:
            loop.add_reader(each, self._accept, each)

    def _deaf(self) -> None:
        loop = asyncio.get_running_loop()
        for each in self._listeners:
            loop.remove_reader(each)

    def _accept(self, listener: socket.socket) -> None:
        try:
            for _ in range(AT_ONCE):
                made, _address = listener.accept()
                self._begin(made)
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                raise
            _log.error("no connection can be accepted", extra={"error": str(error)})
            self._deaf()
            self._later = asyncio.get_running_loop().call_later(PAUSE, self._listen)

    def _begin(self, made: socket.socket) -> None:
        made.setblocking(False)
        if made.family != socket.AF_UNIX:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        LaneConnection(self._lane, made)

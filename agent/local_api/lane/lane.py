"""What all connections of the fast lane share, and the care for those that nobody uses."""

import asyncio
from typing import Protocol

import anyio
from aiohttp import web
from anyio.abc import TaskStatus

from agent.local_api.guard import Guard
from agent.local_api.lane.memo import Memo
from agent.local_api.lane.parts import Parts
from agent.local_api.lane.routes import Routes

LOOK_EVERY = 10.0
"""Seconds between two looks for connections to be closed."""
PATIENCE = 30.0
"""Seconds that a first request, or the rest of any, may take to come, and an answer to be taken."""
BUFFER = 64 * 1024
"""Bytes that are read at once."""
KEEP_ALIVE = 3_600.0
"""Seconds for which a connection is kept that is not used."""


class Client(Protocol):
    """A connection, as the lane sees it. `used`: it brought a request since somebody last looked; then that was `heard`."""

    used: bool
    heard: float
    new: bool
    """Whether it has brought none at all, as far as somebody looked."""

    @property
    def waits(self) -> bool: ...
    def close(self) -> None: ...


class Lane:
    """Knows all connections that are not aiohttp's."""

    def __init__(self, memo: Memo, routes: Routes, guard: Guard) -> None:
        self.memo, self.parts = memo, Parts(routes, guard)
        self._clients: set[Client] = set()
        self.buffer = memoryview(bytearray(BUFFER))

    def joined(self, client: Client) -> None:
        """There is one more."""
        self._clients.add(client)

    def left(self, client: Client) -> None:
        """It has gone, or it is aiohttp's."""
        self._clients.discard(client)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Close connections that nobody uses, until cancelled."""
        task_status.started()
        while True:
            await anyio.sleep(LOOK_EVERY)
            self.look(asyncio.get_running_loop().time())

    def look(self, now: float) -> None:
        """Close those that have been silent for too long."""
        for client in tuple(self._clients):
            if client.used:
                client.used, client.new, client.heard = False, False, now
            elif now - client.heard > (PATIENCE if client.new or client.waits else KEEP_ALIVE):
                client.close()

    async def close(self, _app: web.Application | None = None) -> None:
        """End all connections; what was asked is answered already."""
        for client in tuple(self._clients):
            client.close()

"""What all connections of the fast lane share, and the care for those that nobody uses."""

import asyncio
from collections.abc import Callable
from functools import partial
from socket import socket
from typing import Protocol

import anyio
from aiohttp import web
from anyio.abc import TaskGroup, TaskStatus

from agent.local_api.guard import Guard
from agent.local_api.lane.memo import Memo
from agent.local_api.lane.parts import Parts
from agent.local_api.lane.routes import Routes
from shared.runtime import connection

LOOK_EVERY = 10.0
"""Seconds between two looks for connections to be closed."""
PATIENCE = 30.0
"""Seconds that the rest of a request may take to come, and an answer to be taken."""
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
        self._adoptions: TaskGroup | None = None
        self.behind: Callable[[], asyncio.Protocol] = asyncio.Protocol
        """Makes who goes on with what is not for the lane."""

    def joined(self, client: Client) -> None:
        """There is one more."""
        self._clients.add(client)

    def left(self, client: Client) -> None:
        """It has gone, or it is aiohttp's."""
        self._clients.discard(client)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Close connections that nobody uses, and see to those that are handed over, until cancelled."""
        async with anyio.create_task_group() as self._adoptions:
            task_status.started()
            while True:
                await anyio.sleep(LOOK_EVERY)
                self.look(asyncio.get_running_loop().time())

    def hand_over(self, client: socket, unsent: bytes, data: bytes) -> None:
        """Let aiohttp go on with a connection: first send this, then read that."""
        if self._adoptions is None:
            client.close()
        else:
            self._adoptions.start_soon(self._adopt, client, partial(_Handed, self.behind, unsent, data))

    async def _adopt(self, client: socket, made: Callable[[], asyncio.Protocol]) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(made, client)
        except OSError:  # it has gone in the meantime
            client.close()

    def look(self, now: float) -> None:
        """Close those that have been silent for too long."""
        for client in tuple(self._clients):
            if client.used:
                client.used, client.new, client.heard = False, False, now
            elif now - client.heard > _patience(client):
                client.close()

    async def close(self, _app: web.Application | None = None) -> None:
        """End all connections; what was asked is answered already."""
        for client in tuple(self._clients):
            client.close()


def _patience(client: Client) -> float:
    if client.new:
        return connection.FIRST_REQUEST_TIMEOUT
    return PATIENCE if client.waits else KEEP_ALIVE


class _Handed(asyncio.Protocol):
    """Stands where a connection is handed over, until its transport is there."""

    def __init__(self, behind: Callable[[], asyncio.Protocol], unsent: bytes, data: bytes) -> None:
        self._behind, self._unsent, self._data = behind, unsent, data

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Give it to whom it is for, and whatever was read of it."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream's protocol gets nothing else
        handler = self._behind()
        transport.set_protocol(handler)
        handler.connection_made(transport)
        if self._unsent:
            transport.write(self._unsent)
        handler.data_received(self._data)

"""The steward: a process beside pytest that owns the servers which all workers of one session share.

It starts a server when a worker first asks for it, tells its address to everyone who asks later, and ends with pytest,
however pytest ends, taking all servers and files with it.
"""

import os
import shutil
import signal
from pathlib import Path

import anyio
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from tests.servers.choice import KINDS, obtain
from tests.servers.server import Server, ServerError
from tests.servers.wire import SOCKET, Answer

_LONGEST_NAME = 64


class Steward:
    """Starts each kind of server at most once and answers every question about it when it is up."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._servers: list[Server] = []
        self._answers: dict[str, Answer] = {}
        self._busy = {name: anyio.Lock() for name in KINDS}

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then end all servers."""
        listener = await anyio.create_unix_listener(self._root / SOCKET)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(listener.serve, self._serve)
                with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                    async for _ in signals:
                        break
                group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._end()

    async def _serve(self, stream: SocketStream) -> None:
        async with stream:
            name = (await BufferedByteReceiveStream(stream).receive_until(b"\n", _LONGEST_NAME)).decode()
            answer = await self._answer(name)
            try:
                await stream.send(answer.encode())
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                return  # it only wanted the server to be started

    async def _answer(self, name: str) -> Answer:
        async with self._busy[name]:
            if name not in self._answers:
                self._answers[name] = await self._start(name)
            return self._answers[name]

    async def _start(self, name: str) -> Answer:
        if given := os.environ.get(KINDS[name].variable):
            return Answer(url=given)
        try:
            server = await obtain(name, self._root, managed=True)
        except ServerError as error:
            return Answer(error=str(error))
        self._servers.append(server)
        return Answer(url=server.url, management_url=server.management_url)

    async def _end(self) -> None:
        async with anyio.create_task_group() as group:
            for server in self._servers:
                group.start_soon(server.close)
        shutil.rmtree(self._root, ignore_errors=True)


def main(root: str) -> None:
    """Be the steward of the session whose files lie below `root`."""
    anyio.run(Steward(Path(root)).run)

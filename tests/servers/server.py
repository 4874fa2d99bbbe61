"""One server under test, wherever it runs: a process of ours, a container, or something that was given to us."""

import random
import socket
from collections.abc import Awaitable, Callable
from typing import Protocol

import anyio

_PORTS = range(15_000, 32_000)
"""Below the kernel's ephemeral ports: a client that keeps trying to reach a stopped server can never take its port."""
_START_SECONDS = 60.0
_LOOK_SECONDS = 0.02


class ServerError(Exception):
    """A server could not be had or did not come up; the text is for the person at the terminal."""


class Body(Protocol):
    """How a server lives: as a process or as a container."""

    def alive(self) -> bool:
        """Whether it runs."""
        ...

    async def launch(self) -> None:
        """Start it, again if it ran before."""
        ...

    async def terminate(self) -> None:
        """Let it end in good order."""
        ...

    async def kill(self) -> None:
        """End it at once, as a power cut would."""
        ...

    async def close(self) -> None:
        """End it at once and remove what it left."""
        ...


class Server:
    """A server that keeps its port and its data over any number of stops, kills and starts."""

    def __init__(self, url: str, body: Body, answers: Callable[[], Awaitable[bool]], management_url: str = "") -> None:
        self.url, self.management_url = url, management_url
        self._body, self._answers = body, answers

    async def start(self) -> None:
        """Start it unless it runs, and return when it answers.

        Raises:
            ServerError: it ended, or did not answer in time.
        """
        if not self._body.alive():
            await self._body.launch()
        with anyio.move_on_after(_START_SECONDS):
            while not await self._answers():
                if not self._body.alive():
                    msg = f"the server at {self.url} ended while it started"
                    raise ServerError(msg)
                await anyio.sleep(_LOOK_SECONDS)
            return
        msg = f"the server at {self.url} did not answer within {_START_SECONDS:.0f} s"
        raise ServerError(msg)

    async def stop(self) -> None:
        """Stop it in good order."""
        await self._body.terminate()

    async def kill(self) -> None:
        """Kill it without a warning."""
        await self._body.kill()

    async def restart(self) -> None:
        """Stop it in good order and start it again."""
        await self.stop()
        await self.start()

    async def close(self) -> None:
        """End it for good."""
        await self._body.close()


def free_port() -> int:
    """A port that nobody listens on."""
    while True:
        port = random.choice(_PORTS)  # noqa: S311 - no secret
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


async def greets(port: int, request: bytes, answer: bytes) -> bool:
    """Whether what listens on the port answers a request with bytes that begin like `answer`."""
    try:
        with anyio.fail_after(1):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(request)
                return (await stream.receive()).startswith(answer)
    except (OSError, TimeoutError, anyio.EndOfStream, anyio.BrokenResourceError):
        return False

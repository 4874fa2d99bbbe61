"""One server of the comparison: a process of ours on a core of its own, and what it costs that core."""

import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import anyio
import psutil

from shared.runtime.child import spawn, stop
from tests.rig.process import clean_environ

SERVER_CORE, CLIENT_CORE = "0", "1"
_START_SECONDS = 60.0
_LOOK_AGAIN = 0.02


class AbsentError(Exception):
    """A server that cannot be had here; the text says why."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A running server. `tcp` is host:port, `unix` the path of its socket if it has one."""

    name: str
    version: str
    process: psutil.Process
    home: Path
    tcp: str = ""
    unix: str = ""

    def cpu(self) -> float:
        """Seconds of CPU, user's and system's, that it and its children have used."""
        processes = [self.process, *self.process.children(recursive=True)]
        return float(sum(sum(each.cpu_times()[:2]) for each in processes))

    def rss(self) -> int:
        """Bytes of memory that it and its children hold."""
        return int(sum(each.memory_info().rss for each in [self.process, *self.process.children(recursive=True)]))


@asynccontextmanager
async def pinned(
    command: Sequence[str], log: Path, ready: str, environ: Mapping[str, str] | None = None
) -> AsyncIterator[psutil.Process]:
    """Run a server on the servers' core until the block ends; it is ready when the port or the path takes connections.

    Raises:
        AbsentError: it ended, or did not come up; with the end of its log.
    """
    with log.open("wb") as sink:
        child = spawn(
            ["taskset", "-c", SERVER_CORE, *command],
            log=sink,
            cwd=log.parent,
            environ=clean_environ() | dict(environ or {}),
        )
    try:
        await _until_ready(child, ready, log)
        yield psutil.Process(child.pid)
    finally:
        stop(child, signal.SIGTERM, 5.0)


async def _until_ready(child: Popen[bytes], ready: str, log: Path) -> None:
    with anyio.move_on_after(_START_SECONDS):
        while child.poll() is None:
            if await _connects(ready):
                return
            await anyio.sleep(_LOOK_AGAIN)
    msg = f"it did not come up: {log.read_text(errors='replace')[-500:]}"
    raise AbsentError(msg)


async def _connects(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        stream = await (anyio.connect_unix(address) if address.startswith("/") else anyio.connect_tcp(host, int(port)))
    except OSError:
        return False
    await stream.aclose()
    return True


@contextmanager
def away_from_the_servers() -> Iterator[None]:
    """Keep this process, and what it starts, off the servers' core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, before - {int(SERVER_CORE)} or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)

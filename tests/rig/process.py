"""One process of ours: started with exactly the settings given, asked over HTTP whether it is ready, stopped or killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import anyio
import psutil

from shared.runtime.child import spawn, stop

START_DEADLINE = 30.0
_LOOK_AGAIN = 0.005


class EndedError(Exception):
    """The process ended when it should have become ready; the end of its log is the text."""


class Process:
    """A control plane or an agent as the outside sees it."""

    def __init__(self, module: str, arguments: list[str], url: str, environ: Mapping[str, str], log: Path) -> None:
        self.command = [sys.executable, "-m", module, *arguments]
        self.url = url
        self.log = log
        self._environ = clean_environ() | environ
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running process."""
        return self._running().pid

    def start(self) -> None:
        """Start it; `until_ok` waits for it."""
        with self.log.open("ab") as sink:
            self._child = spawn(self.command, log=sink, environ=self._environ)

    def stop(self, patience: float = 5.0) -> int:
        """Ask it to end (SIGTERM), and return its exit code."""
        return stop(self._running(), signal.SIGTERM, patience)

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self._running().kill()
        self._running().wait()

    def close(self) -> None:
        """Make sure that it is gone; for the end of a test."""
        if self._child is not None:
            stop(self._child, signal.SIGTERM, 5.0)

    async def until_ok(self, path: str = "/readyz", within: float = START_DEADLINE) -> None:
        """Wait until `path` answers 200."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            with anyio.fail_after(within):
                while not await self._ok(session, path):
                    if self._running().poll() is not None:
                        raise EndedError(self.log.read_text()[-4000:])
                    await anyio.sleep(_LOOK_AGAIN)

    async def _ok(self, session: aiohttp.ClientSession, path: str) -> bool:
        try:
            async with session.get(self.url + path) as answer:
                return answer.status == 200
        except aiohttp.ClientConnectionError:
            return False

    def cpu(self) -> float:
        """Seconds of CPU that it has used."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)

    def rss(self) -> int:
        """Bytes of memory that it holds."""
        return int(psutil.Process(self.pid).memory_info().rss)

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._child is not None, "not started"
        return self._child


def clean_environ() -> dict[str, str]:
    """Our environment without any setting of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TRIMTAB_")}

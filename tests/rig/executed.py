"""An agent that runs a command as its child, beside a control plane that a test commits to."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import anyio
from anyio import to_thread

from tests.fakes.control_plane import APP, ENVIRONMENT, LINEAGE, ControlPlane, Write
from tests.rig.process import clean_environ
from tests.servers.server import free_port

DEADLINE = 20.0
_LOOK_AGAIN = 0.01

QUICK = ("--quiet-period", "0.05", "--max-wait", "1", "--kill-timeout", "5", "--restart-backoff", "0.05")
"""Nothing that a test would wait for."""


@dataclass
class Executed:
    """What a test drives: commits at one end, lines of the command at the other."""

    directory: Path
    control_plane: ControlPlane
    port: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    out: Path = Path()

    @property
    def log(self) -> Path:
        """What the agent said."""
        return self.directory / "agent.log"

    async def put(self, key: str, value: bytes) -> int:
        """Commit one value, as JSON."""
        return await self.control_plane.commit(Write(LINEAGE.environment, key, value))

    def start(self, words: Sequence[str], *flags: str, before: Sequence[str] = (), **variables: str) -> None:
        """Start the agent with a command; `before` are words in front of it all."""
        settings = {
            "TRIMTAB_APP": APP,
            "TRIMTAB_ENVIRONMENT": ENVIRONMENT,
            "TRIMTAB_CONTROL_PLANE_URL": self.control_plane.url,
            "TRIMTAB_AGENT_TOKEN": "secret",
            "TRIMTAB_AGENT_STATE_DIR": str(self.directory / "state"),
            "OUT": str(self.out),
        }
        ours = [sys.executable, "-m", "agent", "exec", "--listen", f"127.0.0.1:{self.port}", *QUICK, *flags, "--"]
        with self.log.open("ab") as log:
            self.processes.append(
                subprocess.Popen(  # noqa: S603 - our own program
                    [*before, *ours, *words],
                    env=clean_environ() | settings | variables,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            )

    @property
    def agent(self) -> subprocess.Popen[bytes]:
        """The running agent."""
        return self.processes[-1]

    def lines(self) -> list[str]:
        """What the command wrote to $OUT until now."""
        return self.out.read_text().splitlines() if self.out.exists() else []

    async def until_lines(self, *wanted: str) -> list[str]:
        """Wait until the command has written these lines last."""
        with anyio.move_on_after(DEADLINE):
            while self.lines()[-len(wanted) :] != list(wanted):
                await anyio.sleep(_LOOK_AGAIN)
            return self.lines()
        msg = f"{self.lines()} instead of {wanted}\n{self.log.read_text()}"
        raise AssertionError(msg)

    async def until_logged(self, text: str) -> None:
        """Wait until the agent has said this."""
        with anyio.fail_after(DEADLINE):
            while text not in self.log.read_text():
                await anyio.sleep(_LOOK_AGAIN)

    async def status(self) -> Any:
        """The agent's `/status`, as soon as it answers."""
        return await self.get("/status")

    async def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one of the commands that ask this agent."""

        def run() -> subprocess.CompletedProcess[str]:
            ours = [sys.executable, "-m", "agent", *words, "--listen", f"127.0.0.1:{self.port}"]
            return subprocess.run(  # noqa: S603 - our own program
                ours, env=clean_environ(), capture_output=True, text=True, timeout=DEADLINE, check=False
            )

        return await to_thread.run_sync(run)

    async def get(self, path: str) -> Any:
        """A document of the agent, as soon as it answers."""
        async with aiohttp.ClientSession() as session:
            while True:
                with suppress(aiohttp.ClientConnectionError):
                    async with session.get(f"http://127.0.0.1:{self.port}{path}") as answer:
                        return await answer.json()
                await anyio.sleep(_LOOK_AGAIN)

    async def until_remarked(self, kind: str, about: str, *, stands: bool = True) -> str:
        """Wait until the agent says this of itself, or no longer; returns what it says."""
        with anyio.fail_after(DEADLINE):
            while True:
                found = {(each["kind"], each["about"]): each for each in (await self.status())["remarks"]}
                if ((kind, about) in found) is stands:
                    return str(found[kind, about]["detail"]) if stands else ""
                await anyio.sleep(_LOOK_AGAIN)

    async def code(self) -> int:
        """Wait until the agent ended; its exit code."""
        with anyio.fail_after(DEADLINE):
            return await to_thread.run_sync(self.agent.wait, abandon_on_cancel=True)

    def signal(self, number: signal.Signals) -> None:
        """Signal the agent."""
        os.kill(self.agent.pid, number)


@asynccontextmanager
async def executing(directory: Path, **values: bytes) -> AsyncIterator[Executed]:
    """A control plane with these values (`db__pool` is `db.pool`), and what is needed for a command; all gone at the end."""
    control_plane = ControlPlane()
    for key, value in values.items():
        control_plane.model.commit(Write(LINEAGE.environment, key.replace("__", "."), value))
    async with control_plane.running():
        executed = Executed(directory, control_plane, free_port(), out=directory / "out")
        try:
            yield executed
        finally:
            for process in executed.processes:
                if process.poll() is None:
                    process.terminate()
                    await to_thread.run_sync(process.wait)

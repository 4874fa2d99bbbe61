"""The agent of `trimtab dev`: a process of its own, started again when it dies, stopped when we stop."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
from anyio import to_thread

from control_plane.cli.client import Client, ClientError
from shared.runtime.child import spawn, stop
from shared.runtime.retry import Backoff

_LOOK_EVERY = 0.25
_STOP_PATIENCE = 2.0
_READY_PATIENCE = 20.0
_READY_LOOK = 0.02


@dataclass(slots=True)
class AgentProcess:
    """Starts `trimtab-agent` with these settings, and keeps it running."""

    environ: Mapping[str, str]
    log: Path
    warn: Callable[[str], None]
    _child: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _backoff: Backoff = field(default_factory=lambda: Backoff(base=0.5, cap=10.0), init=False)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the agent running until the block ends."""
        self._start()
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._keep)
                yield
                group.cancel_scope.cancel()
        finally:
            if self._child is not None:
                stop(self._child, signal.SIGTERM, _STOP_PATIENCE)

    def _start(self) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TRIMTAB_")}
        with self.log.open("ab") as output:
            # -P: a directory `agent` where the operator stands is not our program.
            command = [sys.executable, "-P", "-m", "agent"]
            self._child = spawn(command, log=output.fileno(), environ=inherited | dict(self.environ))

    async def _keep(self) -> None:
        while True:
            await anyio.sleep(_LOOK_EVERY)
            if self._child is None or (code := self._child.poll()) is None:
                continue
            wait = self._backoff.next()
            self.warn(f"The agent ended with status {code}; starting it again in {wait:.1f} s (see {self.log})")
            await anyio.sleep(wait)
            self._start()


async def wait_until_converged(agent_url: str, revision: int) -> bool:
    """Wait until the agent is ready and has applied `revision`; False if it takes too long."""
    client = Client(agent_url)
    with anyio.move_on_after(_READY_PATIENCE):
        while not await to_thread.run_sync(_has, client, revision):  # noqa: ASYNC110 - another process
            await anyio.sleep(_READY_LOOK)
        return True
    return False


def _has(client: Client, revision: int) -> bool:
    try:
        return int(client.get("/v1/configs", {"prefix": "none."})["revision"]) >= revision
    except (ClientError, LookupError):
        return False

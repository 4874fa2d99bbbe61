"""`trimtab dev` as a person starts it: from a shell, on free ports, in a directory of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import psutil

from shared.runtime.child import spawn, stop
from tests.rig.process import clean_environ
from tests.servers.server import free_port

ROOT = Path(__file__).parents[2]
_RUNNING = "Ctrl-C stops everything"
_LOOK_AGAIN = 0.02
_START_PATIENCE = 40.0


@dataclass
class Dev:
    """One data directory and, while it runs, its process."""

    data_dir: Path
    port: int = field(default_factory=free_port)
    agent_port: int = field(default_factory=free_port)
    arguments: tuple[str, ...] = ()
    child: subprocess.Popen[bytes] | None = None

    @property
    def command(self) -> list[str]:
        """What is run."""
        ports = ["--port", str(self.port), "--agent-port", str(self.agent_port)]
        return [sys.executable, "-m", "control_plane", "dev", "--data-dir", str(self.data_dir), *ports, *self.arguments]

    @property
    def output(self) -> str:
        """What it has printed."""
        return self._log.read_text() if self._log.exists() else ""

    @property
    def credentials(self) -> dict[str, str]:
        """What `credentials.env` says."""
        lines = (self.data_dir / "credentials.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if not line.startswith("#"))

    @property
    def _log(self) -> Path:
        return self.data_dir.with_name(f"{self.data_dir.name}.out")

    def start(self) -> None:
        """Start it and wait until it says that all of it runs."""
        self._log.unlink(missing_ok=True)
        with self._log.open("wb") as log:
            self.child = spawn(self.command, log=log, environ=environ(), cwd=self.data_dir.parent)
        deadline = time.monotonic() + _START_PATIENCE
        while _RUNNING not in self.output:
            assert self.child.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(_LOOK_AGAIN)

    async def trimtab(self, *arguments: str, token: str = "", refused: bool = False) -> str:
        """What a command says, run as the operator or with another token; `refused`: the reason why it did not work."""
        given = self.credentials | ({"TRIMTAB_TOKEN": token} if token else {})
        command = [sys.executable, "-m", "control_plane", *arguments]
        ended = await anyio.run_process(command, env=environ() | given, cwd=self.data_dir.parent, check=False)
        output, errors = ended.stdout.decode(), ended.stderr.decode()
        assert (ended.returncode != 0) == refused, f"{' '.join(arguments)}\n{output}{errors}"
        return errors if refused else output

    def family(self) -> list[psutil.Process]:
        """It and all processes below it."""
        assert self.child is not None
        head = psutil.Process(self.child.pid)
        return [head, *head.children(recursive=True)]

    def interrupt(self) -> int:
        """What Ctrl-C does; returns the exit code."""
        assert self.child is not None
        self.child.send_signal(signal.SIGINT)
        return self.child.wait(10)

    def close(self) -> None:
        """Make sure that it is gone."""
        if self.child is not None:
            stop(self.child, signal.SIGTERM, 5.0)


@contextmanager
def dev(data_dir: Path, *arguments: str) -> Iterator[Dev]:
    """A running `trimtab dev`."""
    started = Dev(data_dir, arguments=arguments)
    try:
        started.start()
        yield started
    finally:
        started.close()


def environ() -> dict[str, str]:
    """Our environment without settings of ours, with this checkout importable from everywhere."""
    return clean_environ() | {"PYTHONPATH": os.fspath(ROOT)}

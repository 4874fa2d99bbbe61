"""Servers as child processes: in a private directory, as an unprivileged user, gone when we are gone."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio
import anyio.to_thread

from shared.runtime import child
from tests.servers.server import ServerError

_STOP_SECONDS = 20.0


class Home:
    """A server's private directory. Run by root, it belongs to `nobody`, and so does the server."""

    def __init__(self, root: Path, name: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=root))
        self.user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self._own(self.path)

    def write(self, name: str, text: str) -> Path:
        """Put a file there."""
        path = self.path / name
        path.write_text(text, encoding="utf-8")
        self._own(path)
        return path

    def become_owner(self) -> None:
        """Drop root's rights in a process about to become the server."""
        if self.user is not None:
            os.setgroups([])
            os.setgid(self.user.pw_gid)
            os.setuid(self.user.pw_uid)

    async def run(self, command: Sequence[str | Path]) -> None:
        """Run a program to its end as the owner.

        Raises:
            ServerError: it failed; what it said last is in the text.
        """
        user = self.user
        done = await anyio.run_process(
            [str(part) for part in command],
            cwd=self.path,
            check=False,
            stderr=subprocess.STDOUT,
            user=None if user is None else user.pw_uid,
            group=None if user is None else user.pw_gid,
            extra_groups=None if user is None else [],
        )
        if done.returncode:
            raise ServerError(_last_words(Path(command[0]).name, done.returncode, done.stdout))

    def remove(self) -> None:
        """Delete the directory and everything in it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _own(self, path: Path) -> None:
        if self.user is not None:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)


class Process:
    """A server as our child. `beside` runs next to it for as long as it is not closed."""

    def __init__(
        self,
        home: Home,
        command: Sequence[str | Path],
        *,
        environ: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        beside: "Process | None" = None,
    ) -> None:
        self._home, self._command, self._environ = home, [str(part) for part in command], environ
        self._stop_signal, self._beside = stop_signal, beside
        self._child: subprocess.Popen[bytes] | None = None

    def alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    async def launch(self) -> None:
        if self._beside is not None and not self._beside.alive():
            await self._beside.launch()
        with (self._home.path / "log").open("ab") as log:
            self._child = child.spawn(
                self._command,
                log=log,
                cwd=self._home.path,
                environ=self._environ,
                before_exec=self._home.become_owner,
            )

    async def terminate(self) -> None:
        await self._end(self._stop_signal)

    async def kill(self) -> None:
        await self._end(signal.SIGKILL)

    async def close(self) -> None:
        await self.kill()
        if self._beside is not None:
            await self._beside.close()
        await anyio.to_thread.run_sync(self._home.remove)

    async def _end(self, first: signal.Signals) -> None:
        if self._child is not None:
            await anyio.to_thread.run_sync(child.stop, self._child, first, _STOP_SECONDS)


def _last_words(program: str, code: int, output: bytes) -> str:
    return f"{program} ended with {code}: {output.decode(errors='replace')[-2000:]}"

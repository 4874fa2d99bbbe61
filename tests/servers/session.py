"""The test processes' side of the steward: start it, ask it, end it."""

import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from shared.runtime import child
from tests.servers.server import ServerError
from tests.servers.wire import SOCKET, Answer

if TYPE_CHECKING:
    from subprocess import Popen

_ANSWER_SECONDS = 600.0
"""An installation of packages may stand between a question and its answer."""
_STEWARD_SECONDS = 10.0
_ROOT_OF_THE_PROJECT = Path(__file__).parents[2]


class Session:
    """Shared servers of one test session. Its directory is all that a worker needs to know."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._steward: Popen[bytes] | None = None
        self._pending: dict[str, socket.socket] = {}
        self._answers: dict[str, Answer] = {}

    @classmethod
    def begin(cls) -> "Session":
        """Start the steward. It starts no server before somebody asks."""
        base = "/tmp" if os.geteuid() == 0 else None  # noqa: S108 - where `nobody` may go, too
        root = Path(tempfile.mkdtemp(prefix="trimtab-tests-", dir=base))
        root.chmod(0o711)
        session = cls(root)
        session._steward = child.spawn(
            [sys.executable, "-m", "tests.servers", str(root)],
            log=2,
            cwd=_ROOT_OF_THE_PROJECT,
            when_orphaned=signal.SIGTERM,
        )
        return session

    def want(self, name: str) -> None:
        """Have a server started, without waiting for it."""
        if name in self._pending or name in self._answers:
            return
        connection = self._connect()
        connection.sendall(f"{name}\n".encode())
        self._pending[name] = connection

    def get(self, name: str) -> Answer:
        """Where a server is, once it is up.

        Raises:
            ServerError: there is none to be had.
        """
        self.want(name)
        if name not in self._answers:
            with self._pending.pop(name) as connection:
                self._answers[name] = Answer.decode(_read_all(connection))
        answer = self._answers[name]
        if answer.error:
            raise ServerError(answer.error)
        return answer

    def end(self) -> None:
        """Let go of the steward; the one who began it also ends it and everything it started."""
        for connection in self._pending.values():
            connection.close()
        if self._steward is not None:
            child.stop(self._steward, signal.SIGTERM, _STEWARD_SECONDS)
            shutil.rmtree(self.root, ignore_errors=True)

    def _connect(self) -> socket.socket:
        end = time.monotonic() + _STEWARD_SECONDS
        while True:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(_ANSWER_SECONDS)
            try:
                connection.connect(str(self.root / SOCKET))
            except OSError:
                connection.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)  # the steward is on its way
            else:
                return connection


def _read_all(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(4096):
        parts.append(part)
    if not parts:
        msg = "the steward of the servers ended early"
        raise ServerError(msg)
    return b"".join(parts)

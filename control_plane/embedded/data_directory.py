"""The data directory of `trimtab dev`: its layout, its lock, and the one error that its parts end with."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_LOG_LIMIT = 5 * 1024 * 1024
"""A log larger than this is put aside at the next start; the one put aside before is dropped."""


class EmbeddedError(Exception):
    """It cannot start; the text is one line that says why and what to do."""


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """Where everything of one installation lies. Only its own files are ever created or changed, never a parent's."""

    root: Path

    @property
    def logs(self) -> Path:
        """One file a process."""
        return self.root / "logs"

    @property
    def postgres(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.root / "postgres"

    @property
    def agent(self) -> Path:
        """The agent's last known good."""
        return self.root / "agent"

    @property
    def rendered(self) -> Path:
        """The files that the agent renders."""
        return self.root / "rendered"

    @property
    def credentials(self) -> Path:
        """Addresses and tokens, to be sourced by a shell."""
        return self.root / "credentials.env"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Create the directory where it is missing, and be its only user until the block ends.

        Raises:
            EmbeddedError: somebody else uses it, or it cannot be used by us.
        """
        try:
            # PostgreSQL is another user when we are root, and has to pass through.
            self.root.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
            self.logs.mkdir(mode=0o700, exist_ok=True)
            file = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            msg = f"the data directory {self.root} cannot be used ({error.strerror}): choose another with --data-dir"
            raise EmbeddedError(msg) from error
        try:
            self._lock(file)
            yield
        finally:
            os.close(file)  # which also unlocks it, as does any other end of this process

    def _lock(self, file: int) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(file, 32, 0).decode(errors="replace").strip()
            msg = (
                f"the data directory {self.root} is in use by process {holder or 'unknown'}: "
                "stop that one, or choose another directory with --data-dir"
            )
            raise EmbeddedError(msg) from error
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)

    def log_file(self, name: str) -> Path:
        """Where `name` logs to; a log that has grown large is put aside first."""
        path = self.logs / f"{name}.log"
        if path.exists() and path.stat().st_size > _LOG_LIMIT:
            path.replace(path.with_suffix(".log.1"))
        return path

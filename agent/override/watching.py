"""Follow the override file: read it at the start and whenever it changes; a broken one changes nothing."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import anyio.to_thread
from anyio.abc import TaskStatus

from agent.override.document import MAX_BYTES, Override, OverrideError, read_override
from agent.override.overlay import Overlay
from agent.snapshot.store import SnapshotStore
from agent.sync.remarks import Remarks

LOOK_EVERY = 0.5
"""Seconds between two looks at the file: cheap for one file, and right on every file system and for every editor."""
KIND = "override"
_FILE, _BROKEN, _UNUSED = "file", "broken", "unused"

_log = logging.getLogger(__name__)


class Overriding:
    """Shows what the file says instead of what was applied, for as long as it runs."""

    def __init__(self, path: Path, store: SnapshotStore, remarks: Remarks, look_every: float = LOOK_EVERY) -> None:
        self._path, self._store, self._remarks, self._look_every = path, store, remarks, look_every
        self._seen: tuple[int, ...] | None = None

    def begin(self) -> None:
        """Read the file for the first time, before anybody is served.

        Raises:
            OverrideError: it cannot be read or taken.
        """
        self._seen = self._stamp()
        self._show(self._read())

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Follow the file until cancelled."""
        with self._watching_snapshots():
            task_status.started()
            while True:
                await anyio.sleep(self._look_every)
                stamp = await anyio.to_thread.run_sync(self._stamp)
                if stamp != self._seen:
                    self._seen = stamp
                    await self._again()

    async def _again(self) -> None:
        """What the file says now; if that cannot be taken, what it said before still holds."""
        try:
            override = await anyio.to_thread.run_sync(self._read)
        except OverrideError as error:
            self._remarks.tell(KIND, _BROKEN, f"{self._path}: {error}; what it said before still holds")
            return
        self._remarks.withdraw(KIND, _BROKEN)
        self._show(override)

    def _read(self) -> Override:
        try:
            with self._path.open("rb") as file:
                return read_override(file.read(MAX_BYTES + 1))
        except OSError as error:
            msg = f"it cannot be read ({error.strerror})"
            raise OverrideError(msg) from error

    def _show(self, override: Override) -> None:
        overlay = Overlay(override)
        self._store.look_through(KIND, overlay)
        keys = sorted(override.keys)
        if keys:
            more = f" and {len(keys) - 5} more" if len(keys) > 5 else ""  # noqa: PLR2004 - enough to recognize it by
            self._remarks.tell(KIND, _FILE, f"{self._path} overrides {', '.join(keys[:5])}{more}")
        else:
            self._remarks.withdraw(KIND, _FILE)
        self._overlay = overlay
        self._tell_unused()

    def _tell_unused(self) -> None:
        if unused := self._overlay.unused:
            told = "; ".join(f"{key}: {why}" for key, why in sorted(unused.items()))
            self._remarks.tell(KIND, _UNUSED, f"variants without effect: {told}")
        else:
            self._remarks.withdraw(KIND, _UNUSED)

    def _stamp(self) -> tuple[int, ...] | None:
        """What tells one state of the file from another; None while there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    @contextmanager
    def _watching_snapshots(self) -> Iterator[None]:
        with self._store.subscribe(lambda _old, _new: self._tell_unused()):
            yield

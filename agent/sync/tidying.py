"""Make durable, in a thread and a moment later, what the keeper took in quickly."""

import logging

import anyio
import anyio.to_thread

from agent.ports import Keeper
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from agent.sync.status import Status

QUIET = 1.0
"""Seconds over which changes are collected before the disk is made to work."""

_log = logging.getLogger(__name__)


class Tidying:
    """Wakes after a swap, waits for more, then lets the keeper sync and compact; idle otherwise."""

    def __init__(self, store: SnapshotStore, keeper: Keeper, status: Status, quiet: float = QUIET) -> None:
        self._store, self._keeper, self._status, self._quiet = store, keeper, status, quiet
        self._swapped = anyio.Event()

    async def run(self) -> None:
        """Tidy until cancelled."""
        with self._store.subscribe(self._wake):
            while True:
                await self._swapped.wait()
                await anyio.sleep(self._quiet)
                self._swapped = anyio.Event()
                await self._tidy()

    def _wake(self, _old: Snapshot, _new: Snapshot) -> None:
        self._swapped.set()

    async def _tidy(self) -> None:
        try:
            await anyio.to_thread.run_sync(self._keeper.tidy)
        except OSError as error:
            if not self._status.keep_error:
                _log.error("the last known good cannot be made durable", extra={"error": str(error)})
            self._status.keep_failures += 1
            self._status.keep_error = str(error)

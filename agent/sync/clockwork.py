"""What the clock does without any message: weights rise and windows open at their moments, and whoever keeps values hears.

Reads need none of this: each is decided for its own moment. Files and streams of changes do.
"""

import anyio
from anyio.abc import TaskStatus

from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from shared.runtime.clock import Clock, unix_ms

LOOK_EVERY = 5.0
"""Seconds after which the clock is read again at the latest: it may have been set."""


class Clockwork:
    """Sleeps until something changes by the clock. While nothing ever does, it sleeps until the next change."""

    def __init__(self, store: SnapshotStore, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._swapped = anyio.Event()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Watch the clock until cancelled."""
        with self._store.subscribe(self._changed):
            task_status.started()
            seen_ms = self.now_ms
            while True:
                with anyio.move_on_after(self._patience(seen_ms)):
                    await self._swapped.wait()
                self._swapped = anyio.Event()
                seen_ms = self.look(seen_ms)

    def look(self, seen_ms: int) -> int:
        """Tell what changed since a moment, be it before or after now; returns this moment."""
        now_ms, program = self.now_ms, self._store.current.program
        if keys := program.changed_between(min(seen_ms, now_ms), max(seen_ms, now_ms)):
            self._store.time_passed(keys)
        return now_ms

    @property
    def now_ms(self) -> int:
        """This moment."""
        return unix_ms(self._clock.now())

    def _patience(self, seen_ms: int) -> float | None:
        program = self._store.current.program
        if not program.keeps_time:
            return None
        due = program.next_moment(seen_ms)
        return LOOK_EVERY if due is None else min(LOOK_EVERY, max(0.0, (due - seen_ms) / 1000))

    def _changed(self, _old: Snapshot, _new: Snapshot) -> None:
        self._swapped.set()

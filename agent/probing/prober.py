"""Ask the application again and again: at its pace while nothing happens, and faster once a candidate was applied."""

from collections.abc import Sequence

import anyio
from anyio.abc import TaskStatus

from agent.probing.ask import ask, probe_session
from agent.probing.target import Target
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from agent.sync.witness import Witness

WATCHFUL = 60.0
"""Seconds after a change for which the application of an instance that serves a candidate is asked more often."""
_FASTER = 5
"""How much more often."""
_LEAST = 0.1


class Prober:
    """Feeds `Health`."""

    def __init__(
        self, target: Target, witness: Witness, store: SnapshotStore, *, interval: float, timeout: float
    ) -> None:
        self._target, self._witness, self._store = target, witness, store
        self._interval, self._timeout = interval, timeout
        self._applied = anyio.Event()
        self._watchful_until = float("-inf")

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Probe until cancelled."""
        health = self._witness.health
        async with probe_session() as session:
            with self._store.subscribe(self._swapped), self._store.subscribe_time(self._time_passed):
                task_status.started()
                while True:
                    reply = await ask(self._target, self._timeout, session)
                    health.found(good=reply.good, detail=reply.detail, now_ms=self._witness.now_ms)
                    with anyio.move_on_after(self._pause()):
                        await self._applied.wait()
                    self._applied = anyio.Event()

    def _pause(self) -> float:
        watchful = anyio.current_time() < self._watchful_until
        return max(_LEAST, self._interval / _FASTER) if watchful else self._interval

    def _swapped(self, old: Snapshot, new: Snapshot) -> None:
        """A change was applied: if a candidate is served here, ask at once, and believe nothing from before."""
        if new.revision != old.revision:
            self._look_closely()

    def _time_passed(self, _snapshot: Snapshot, _keys: Sequence[str]) -> None:
        """The clock may have brought a candidate here."""
        self._look_closely()

    def _look_closely(self) -> None:
        if not self._witness.exposes():
            return
        self._watchful_until = anyio.current_time() + WATCHFUL
        self._witness.health.doubt(self._witness.now_ms)
        self._applied.set()

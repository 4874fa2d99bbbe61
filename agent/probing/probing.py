"""Probe as the settings say, also when they change: one prober at a time, or none."""

from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskStatus

from agent.snapshot.store import SnapshotStore
from agent.sync.witness import Witness

if TYPE_CHECKING:
    from agent.probing.target import Target


class Probing:
    """Has a prober run while there is something to ask."""

    def __init__(self, witness: Witness, store: SnapshotStore) -> None:
        self._witness, self._store = witness, store
        self._target: Target | None = None
        self._interval = self._timeout = 0.0
        self._aimed, self._scope = anyio.Event(), anyio.CancelScope()

    def aim(self, target: "Target | None", *, interval: float, timeout: float) -> None:
        """Ask this from now on; None asks nobody."""
        self._target, self._interval, self._timeout = target, interval, timeout
        self._aimed.set()
        self._scope.cancel()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Probe until cancelled."""
        task_status.started()
        while True:
            self._aimed = anyio.Event()
            if self._target is None:
                await self._aimed.wait()
            else:
                with anyio.CancelScope() as self._scope:
                    await self._probe(self._target)

    async def _probe(self, target: "Target") -> None:
        from agent.probing.prober import Prober  # noqa: PLC0415 - memory that only who is told to probe should pay

        prober = Prober(target, self._witness, self._store, interval=self._interval, timeout=self._timeout)
        await prober.run()

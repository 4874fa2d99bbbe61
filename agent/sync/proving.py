"""Find out which snapshot the application is well with: promoted after it stayed healthy for a bake time.

One snapshot bakes at a time. Changes that come meanwhile do not start the time again, or a busy fleet would never prove
anything; an application that becomes unhealthy does.
"""

import logging

import anyio
import anyio.to_thread
from anyio.abc import TaskStatus

from agent.snapshot.model import Snapshot
from agent.snapshot.proven import ProvenCopy, proof_of
from agent.snapshot.store import SnapshotStore
from agent.sync.health import Condition, Health
from agent.sync.remarks import Remarks

RETRY_EVERY = 30.0
"""Seconds after which a copy that could not be written is tried again."""

_FALTERING = 1.0
"""Seconds after which an application whose last answer was a failure is looked at again: nothing is proven meanwhile."""

_log = logging.getLogger(__name__)


class Proving:
    """Knows what is proven, and keeps it on disk."""

    def __init__(
        self, store: SnapshotStore, health: Health, remarks: Remarks, copy: ProvenCopy, *, after: float
    ) -> None:
        self._store, self._health, self._remarks, self._copy, self._after = store, health, remarks, copy, after
        self.proof = copy.proof()
        self.error = ""
        self.writes = 0
        self._candidate: Snapshot | None = None
        self._since = 0.0
        self._stirred = anyio.Event()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Prove until cancelled."""
        with self._store.subscribe(self._stir), self._health.observe(self._stir), self._remarks.observe(self._stir):
            task_status.started()
            while True:
                due = self._look(anyio.current_time())
                if due is not None and due <= 0.0:
                    due = await self._promote()
                with anyio.move_on_after(due):
                    await self._stirred.wait()
                self._stirred = anyio.Event()

    def bake(self, after: float) -> None:
        """Let snapshots bake for so long from now on."""
        self._after = after
        self._stirred.set()

    def load(self) -> Snapshot | None:
        """The proven snapshot itself; it is not held in memory."""
        return self._copy.load()

    def is_proven(self, snapshot: Snapshot) -> bool:
        """Whether the copy says the same."""
        return self.proof is not None and self.proof.is_of(snapshot)

    def _look(self, now: float) -> float | None:
        """Choose or drop the candidate; in how many seconds it is proven, None if there is nothing to wait for."""
        if self._health.condition is Condition.UNHEALTHY or not self._gets_what_is_applied():
            self._candidate = None
            return None
        if self._health.condition is not Condition.HEALTHY:
            return None
        applied = self._store.applied
        if self._candidate is None and not self.is_proven(applied):
            self._candidate, self._since = applied, now
        if self._candidate is None:
            return None
        due = self._since + self._after - now
        return max(due, _FALTERING) if self._health.faltering else due

    def _gets_what_is_applied(self) -> bool:
        """Under an override or a fallback, or with files that could not be rendered, health says nothing of it."""
        store = self._store
        shown = store.chosen is store.applied and store.current.revision == store.applied.revision
        return store.ready and shown and not self._remarks.refuses

    async def _promote(self) -> float:
        """The candidate is proven; returns the seconds until there is something to do."""
        candidate = self._candidate
        assert candidate is not None  # noqa: S101 - for the type checker
        try:
            await anyio.to_thread.run_sync(self._copy.keep, candidate)
        except OSError as error:
            if not self.error:
                _log.error("the proven snapshot cannot be kept", extra={"error": str(error)})
            self.error = str(error)
            return RETRY_EVERY
        self.error, self.proof, self._candidate = "", proof_of(candidate), None
        self.writes += 1
        _log.info("proven", extra={"revision": candidate.revision, "healthy_seconds": self._after})
        return 0.0

    def _stir(self, *_: object) -> None:
        self._stirred.set()

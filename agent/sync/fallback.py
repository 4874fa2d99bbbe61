"""Give an application that fails again and again what it was last well with, and say so loudly.

What is applied does not change: readers are shown an older snapshot, until something newer than what failed is applied
or somebody ends it by hand. Where it does not help either, the newest is shown again.
"""

import logging

import anyio
import anyio.to_thread
from anyio.abc import TaskStatus

from agent.snapshot.model import Snapshot
from agent.snapshot.proven import ProvenCopy
from agent.snapshot.store import SnapshotStore
from agent.sync.health import Condition, Health
from agent.sync.proving import Proving
from agent.sync.remarks import Remarks
from shared.runtime.clock import Clock, unix_ms

KIND = "fallback"
_ABOUT, _IN_VAIN = "proven", "in vain"

_log = logging.getLogger(__name__)


class Fallback:
    """The lens through which readers see, and when it is on. Create it before anything else is put in front of the store."""

    def __init__(
        self,
        store: SnapshotStore,
        health: Health,
        proving: Proving,
        copy: ProvenCopy,
        *,
        remarks: Remarks,
        clock: Clock,
        after: float,
        enabled: bool = True,
    ) -> None:
        self._store, self._health, self._proving, self._copy = store, health, proving, copy
        self._remarks, self._clock, self._after = remarks, clock, after
        self._enabled = enabled
        self._shown: Snapshot | None = None
        self._failed = 0
        self._marked = False
        self._helped = False
        self._vain = 0
        self._began_ms = 0
        self._last = store.applied
        self._unproven_since_ms = self._now_ms
        self._stirred = anyio.Event()
        store.look_through(KIND, self._look)

    def allow(self, *, enabled: bool, after: float) -> None:
        """Whether it may be used, and how long the application has to be unhealthy for that."""
        self._enabled, self._after = enabled, after
        if not enabled:
            self.end("it is not allowed any more")
        self._stirred.set()

    @property
    def active(self) -> bool:
        """Whether readers see the proven snapshot."""
        return self._shown is not None

    def resume(self) -> None:
        """After a restart: go on with what was begun, unless something newer than what failed is there."""
        failed = self._copy.failed()
        self._marked = failed > 0
        if failed and self._enabled and self._store.ready and self._store.applied.revision <= failed:
            self._begin(self._proving.load(), failed, "before the agent was started again")

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Fall back and return as it is needed, until cancelled."""
        with self._store.subscribe(self._swapped), self._health.observe(self._stir):
            task_status.started()
            while True:
                await self._keep_mark()
                due = self._due()
                if due is not None and due <= 0.0:
                    await self._act()
                    continue
                with anyio.move_on_after(due):
                    await self._stirred.wait()
                self._stirred = anyio.Event()

    async def now(self) -> bool:
        """Fall back at once, because somebody else found that the application does not bear the newest; whether we did."""
        if not self.active and self._could():
            await self._fall_back()
        return self.active

    def end(self, why: str) -> bool:
        """Show the newest again; whether there was anything to end."""
        if not self.active:
            return False
        _log.warning("the fallback ends", extra={"why": why, "failed_revision": self._failed})
        self._shown, self._vain = None, self._failed
        self._remarks.withdraw(KIND, _ABOUT)
        self._store.look_through(KIND, self._look)
        self._stirred.set()
        return True

    def _look(self, applied: Snapshot) -> Snapshot:
        """The lens: what failed is not shown, anything newer is."""
        if self._shown is not None and applied.revision > self._failed:
            self._shown = None
        return self._shown or applied

    def _swapped(self, _old: Snapshot, _new: Snapshot) -> None:
        """What is applied may be newer than what failed: then the lens has let go already."""
        if (applied := self._store.applied) is not self._last:
            if self._proving.is_proven(self._last):
                self._unproven_since_ms = self._now_ms
            self._last = applied
        if not self.active:
            self._remarks.withdraw(KIND, _ABOUT)
            if self._store.applied.revision > self._vain:
                self._remarks.withdraw(KIND, _IN_VAIN)
        self._stirred.set()

    def _stir(self) -> None:
        self._helped = self._helped or (self.active and self._health.condition is Condition.HEALTHY)
        if self._health.condition is Condition.HEALTHY:
            self._remarks.withdraw(KIND, _IN_VAIN)
        self._stirred.set()

    def _due(self) -> float | None:
        """In how many seconds something has to be done, if the application stays as it is."""
        if self._health.condition is not Condition.UNHEALTHY:
            return None
        if self._helped if self.active else not self._blames_the_newest():
            return None
        since_ms = self._began_ms if self.active else self._health.since_ms
        return since_ms / 1000 + self._after - self._now_ms / 1000

    def _could(self) -> bool:
        """Whether there is something else to fall back to."""
        proof, applied = self._proving.proof, self._store.applied
        if not self._enabled or not self._store.ready or proof is None:
            return False
        return not proof.is_of(applied) and applied.revision > self._vain

    def _blames_the_newest(self) -> bool:
        """Whether the application became unhealthy with something that is not proven; before, it was for other reasons."""
        return self._could() and self._health.since_ms >= self._unproven_since_ms

    async def _act(self) -> None:
        if self.active:
            self.end("the application is not well with the proven snapshot either")
            told = f"the application is not well with the proven snapshot either: it has revision {self._failed} again"
            self._remarks.tell(KIND, _IN_VAIN, told)
        else:
            await self._fall_back()

    async def _fall_back(self) -> None:
        proven = await anyio.to_thread.run_sync(self._proving.load)
        if self.active or not self._could():
            return
        self._begin(proven, self._store.applied.revision, self._health.detail)
        await self._keep_mark()

    def _begin(self, proven: Snapshot | None, failed: int, why: str) -> None:
        if proven is None:
            self._vain = failed
            return
        self._shown, self._failed, self._helped, self._began_ms = proven, failed, False, self._now_ms
        told = (
            f"the application stayed unhealthy on revision {failed} ({why}): it is given revision {proven.revision}, "
            "on which it was well"
        )
        _log.error("fallback: %s", told, extra={"failed_revision": failed, "revision": proven.revision})
        self._remarks.tell(KIND, _ABOUT, told, refuses=True)
        self._store.look_through(KIND, self._look)

    async def _keep_mark(self) -> None:
        """Have the disk say what we do: a restart goes on with it."""
        if self._marked is self.active:
            return
        try:
            if self.active:
                await anyio.to_thread.run_sync(self._copy.fell_back, self._failed)
            else:
                await anyio.to_thread.run_sync(self._copy.returned)
        except OSError as error:
            _log.error("the fallback cannot be remembered over a restart", extra={"error": str(error)})
        self._marked = self.active

    @property
    def _now_ms(self) -> int:
        return unix_ms(self._clock.now())

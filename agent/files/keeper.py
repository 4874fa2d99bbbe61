"""Keep one set at the current snapshot: woken by a change, patient in a burst, and looking after what was published."""

import math
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import anyio
from anyio import to_thread
from anyio.abc import TaskStatus

from agent.files.pace import LOOK_EVERY, RETRY_EVERY
from agent.files.rendering import Content, rendered
from agent.files.sequence import Sequence
from agent.files.stamps import Stamp, stamps
from agent.files.state import SetState
from agent.files.templates import Templates
from agent.files.unrenderable import UnrenderableError
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from shared.domain.context import EvaluationContext
from shared.runtime.clock import Clock, unix_ms

_STRIFE = 300.0
"""Seconds within which a file that is changed again by somebody else is taken for strife: it is put right ever more slowly."""
_MAX_CALM = 60.0


class SetKeeper:
    """Drives the sequence of one set; whatever another set waits for, this one does not."""

    def __init__(
        self,
        sequence: Sequence,
        store: SnapshotStore,
        clock: Clock,
        own: EvaluationContext,
        templates: Templates,
        *,
        brought: Callable[[], None],
        retry_every: float = RETRY_EVERY,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self._sequence, self._store, self._clock, self._own = sequence, store, clock, own
        self._retry_every, self._look_every = retry_every, look_every
        self._templates, self._brought = templates, brought
        self._woken, self._stirred, self._turn = anyio.Event(), False, anyio.Lock()
        self._seen: Mapping[Path, Stamp] = {}
        self._drifts, self._drifted_at = 0, float("-inf")
        self._scope = anyio.CancelScope()
        self.tried, self.gone = anyio.Event(), anyio.Event()

    @property
    def state(self) -> SetState:
        """How the set stands."""
        return self._sequence.account.state

    def stir(self, *, again: bool = False) -> None:
        """Something may have changed. `again`: also what was refused is tried again."""
        if again:
            self._sequence.forget_refusal()
        self._stirred = True
        self._woken.set()

    def touched(self) -> None:
        """Somebody may have touched its files, or what they are made of: look at them."""
        self._woken.set()

    def directories(self) -> Iterator[Path]:
        """Where somebody could touch them."""
        for each in self._sources():
            yield each.parent
            yield Path(os.path.realpath(each)).parent  # unlike Path.resolve it never fails
        yield from self._sequence.publication.directories()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Bring the set to what is there, then to whatever comes, until cancelled."""
        try:
            with self._scope:
                await self.bring()
                self._brought()
                self.tried.set()
                task_status.started()
                while True:
                    await self._until_due()
                    await self.bring()
                    self._brought()
        finally:
            self.gone.set()

    def end(self) -> None:
        """Keep it no longer; what is published stays. Nothing is done for it any more once it is `gone`."""
        self._scope.cancel()
        self._sequence.account.close()

    async def bring(self) -> bool:
        """Have the application get the current snapshot; whether it has. Nothing happens before there is one."""
        if not self._store.ready:
            return False
        async with self._turn:
            self._stirred = False
            # Before anything is compared: what is touched from now on is looked at again.
            self._seen = await to_thread.run_sync(self._stamps)
            drifted = self.state.drifted
            done = await self._bring(self._store.current)
            if self.state.drifted > drifted:
                self._count_drift()
            return done

    async def _bring(self, snapshot: Snapshot) -> bool:
        try:
            return await self._sequence.bring(snapshot, lambda: self._rendered(snapshot))
        except UnrenderableError as error:
            self._sequence.failed(str(error), snapshot.revision)
        except OSError as error:
            self._sequence.failed(_reason(error), snapshot.revision)
        finally:
            self._sequence.account.of_templates(self._templates.broken_of(self.state.name))
        return False

    def _rendered(self, snapshot: Snapshot) -> Mapping[str, Content]:
        return rendered(self.state.file_set, snapshot, self._own, unix_ms(self._clock.now()), self._templates)

    async def _until_due(self) -> None:
        """Until there is something to do: a change, something that was touched, or another try of what failed."""
        retry_in = self._sequence.retry_in(self._retry_every)
        retry_at = math.inf if retry_in is None else anyio.current_time() + retry_in
        while True:
            with anyio.CancelScope(deadline=min(retry_at, anyio.current_time() + self._look_every)):
                await self._woken.wait()
            self._woken = anyio.Event()
            if self._stirred:
                await self._quiet()
                return
            if anyio.current_time() >= retry_at:
                self._sequence.forget_refusal()
                return
            if await to_thread.run_sync(self._stamps) != self._seen and await self._calm():
                return

    async def _quiet(self) -> None:
        """Wait until nothing comes any more, but not for too long, nor sooner than the last publication allows."""
        file_set, began = self.state.file_set, anyio.current_time()
        until = began + file_set.max_wait if file_set.max_wait else float("inf")
        while file_set.quiet and (left := until - anyio.current_time()) > 0:
            self._woken = anyio.Event()
            with anyio.move_on_after(min(file_set.quiet, left)) as silence:
                await self._woken.wait()
            if silence.cancelled_caught:
                break
        await anyio.sleep(max(0.0, self._sequence.published_at + file_set.min_interval - anyio.current_time()))

    async def _calm(self) -> bool:
        """Wait a while if somebody and we change a file in turns; whether a change of ours did not come meanwhile."""
        pause = min(_MAX_CALM, 2.0 ** (self._drifts - 2)) if self._drifts > 1 else 0.0
        with anyio.move_on_after(max(0.0, self._drifted_at + pause - anyio.current_time())):
            while not self._stirred:
                await self._woken.wait()
                self._woken = anyio.Event()
        if self._stirred:
            self._woken.set()
        return not self._stirred

    def _count_drift(self) -> None:
        now = anyio.current_time()
        self._drifts = self._drifts + 1 if now - self._drifted_at < _STRIFE else 1
        self._drifted_at = now

    def _stamps(self) -> Mapping[Path, Stamp]:
        try:
            return stamps(self._sequence.publication.places(), self._sources())
        except OSError:  # it changes while we look: then it is another state than any
            return {}

    def _sources(self) -> frozenset[Path]:
        return self._templates.sources_of(self.state.name) | frozenset(self.state.file_set.templates)


def _reason(error: OSError) -> str:
    return f"{error.strerror or error} ({error.filename})" if error.filename else str(error.strerror or error)

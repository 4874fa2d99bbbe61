"""Keep one set at the current snapshot: woken by a change, patient in a burst, and looking after what was published."""

from collections.abc import Callable, Mapping

import anyio
from anyio.abc import TaskStatus

from agent.files.rendering import Content, rendered
from agent.files.sequence import Sequence
from agent.files.state import LOOK_EVERY, RETRY_EVERY, SetState
from agent.files.templates import Templates
from agent.files.unrenderable import UnrenderableError
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from shared.domain.context import EvaluationContext
from shared.runtime.clock import Clock, unix_ms


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
        self._stirred, self._turn = anyio.Event(), anyio.Lock()
        self._began_at = float("-inf")
        self._scope = anyio.CancelScope()

    @property
    def state(self) -> SetState:
        """How the set stands."""
        return self._sequence.state

    def stir(self, *, again: bool = False) -> None:
        """Something may have changed. `again`: also what was refused is tried again."""
        if again:
            self._sequence.forget_refusal()
        self._stirred.set()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Bring the set to what is there, then to whatever comes, until cancelled."""
        with self._scope:
            await self.bring()
            self._brought()
            task_status.started()
            while True:
                with anyio.move_on_after(self._patience()):
                    await self._stirred.wait()
                if self._stirred.is_set():
                    await self._quiet()
                self._stirred = anyio.Event()
                await self.bring()
                self._brought()

    def end(self) -> None:
        """Keep it no longer; what is published stays."""
        self._scope.cancel()
        self._sequence.end()

    async def bring(self) -> bool:
        """Have the application get the current snapshot; whether it has. Nothing happens before there is one."""
        if not self._store.ready:
            return False
        async with self._turn:
            return await self._bring(self._store.current)

    async def _bring(self, snapshot: Snapshot) -> bool:
        self._began_at = anyio.current_time()
        try:
            return await self._sequence.bring(snapshot, lambda: self._rendered(snapshot))
        except UnrenderableError as error:
            self._sequence.failed(str(error), snapshot.revision)
        except OSError as error:
            self._sequence.failed(_reason(error), snapshot.revision)
        finally:
            self._sequence.of_templates(self._templates.broken_of(self.state.name))
        return False

    def _rendered(self, snapshot: Snapshot) -> Mapping[str, Content]:
        return rendered(self.state.file_set, snapshot, self._own, unix_ms(self._clock.now()), self._templates)

    def _patience(self) -> float:
        return self._look_every if self._sequence.settled else self._retry_every

    async def _quiet(self) -> None:
        """Wait until nothing comes any more, but not for too long, nor sooner than the last reload allows."""
        file_set, began = self.state.file_set, anyio.current_time()
        until = began + file_set.max_wait if file_set.max_wait else float("inf")
        while file_set.quiet and (left := until - anyio.current_time()) > 0:
            self._stirred = anyio.Event()
            with anyio.move_on_after(min(file_set.quiet, left)) as silence:
                await self._stirred.wait()
            if silence.cancelled_caught:
                break
        await anyio.sleep(max(0.0, self._began_at + file_set.min_interval - anyio.current_time()))


def _reason(error: OSError) -> str:
    return f"{error.strerror or error} ({error.filename})" if error.filename else str(error.strerror or error)

"""All file sets of an agent: each is kept by a task of its own, and all hear of the same changes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskGroup, TaskStatus

from agent.files.pace import LOOK_EVERY, RETRY_EVERY
from agent.snapshot.store import SnapshotStore
from agent.snapshot.usage import Usage
from agent.sync.remarks import Remarks
from agent.sync.results import Results
from shared.domain.context import ANYBODY, EvaluationContext
from shared.runtime.clock import Clock

if TYPE_CHECKING:
    from agent.files.file_set import FileSet
    from agent.files.keeper import SetKeeper
    from agent.files.state import RenderedFile, SetState
    from agent.files.templates import Templates
    from agent.files.watching import Watching

START_PATIENCE = 5.0
"""Seconds that the start waits for the sets at most: a check that hangs holds up nobody but its set."""


class Renderer:
    """Files are for the agent itself (`own`). An error stops nothing: it is told, and tried again."""

    def __init__(
        self,
        store: SnapshotStore,
        file_sets: "Sequence[FileSet]",
        clock: Clock,
        state_dir: Path,
        *,
        usage: Usage | None = None,
        own: EvaluationContext = ANYBODY,
        remarks: Remarks | None = None,
        results: Results | None = None,
        retry_every: float = RETRY_EVERY,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self._store, self._clock, self._state_dir, self._own = store, clock, state_dir, own
        self._usage, self._results = usage or Usage(clock), results or Results()
        self._remarks = remarks or Remarks(clock, lambda: store.applied.revision)
        self._retry_every, self._look_every = retry_every, look_every
        self._templates: Templates | None = None
        self._group: TaskGroup | None = None
        self._watching: Watching | None = None
        self._keepers = [self._keeper(each) for each in file_sets]

    @property
    def sets(self) -> "tuple[SetState, ...]":
        """How all of them stand."""
        return tuple(each.state for each in self._keepers)

    @property
    def files(self) -> "tuple[RenderedFile, ...]":
        """How their files stand."""
        return tuple(file for each in self._keepers for file in each.state.files)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Render what is there, then after every swap, until cancelled."""
        with self._listening():
            async with anyio.create_task_group() as self._group:
                self._begin(self._keepers, ())
                with anyio.move_on_after(START_PATIENCE):
                    for each in tuple(self._keepers):
                        await each.tried.wait()
                task_status.started()
                await anyio.sleep_forever()

    def take(self, file_sets: "Sequence[FileSet]") -> None:
        """Render these from now on; what is not among them stays as it was written."""
        known = {each.state.name: each for each in self._keepers if each.state.file_set in file_sets}
        gone = [each for each in self._keepers if each.state.name not in known]
        for each in gone:
            each.end()
        self._keepers = [known.get(each.name) or self._keeper(each) for each in file_sets]
        if self._templates is not None:
            self._templates.keep_only({each.name for each in file_sets})
        self._begin([each for each in self._keepers if each not in known.values()], gone)

    async def render(self) -> bool:
        """Bring every set to the current snapshot; returns whether all of them are. Nothing happens before the first."""
        done: list[bool] = []

        async def bring(keeper: "SetKeeper") -> None:
            done.append(await keeper.bring())

        async with anyio.create_task_group() as group:
            for each in self._keepers:
                group.start_soon(bring, each)
        self._brought()
        return self._store.ready and all(done)

    def again(self) -> None:
        """Try again what was refused: somebody asked for it."""
        for each in self._keepers:
            each.stir(again=True)

    def _keeper(self, file_set: "FileSet") -> "SetKeeper":
        # Half a megabyte that an agent without files should not pay.
        from agent.files.account import Account  # noqa: PLC0415
        from agent.files.keeper import SetKeeper  # noqa: PLC0415
        from agent.files.publication import publication_of  # noqa: PLC0415
        from agent.files.sequence import Sequence as SetSequence  # noqa: PLC0415
        from agent.files.state import SetState  # noqa: PLC0415
        from agent.files.templates import Templates  # noqa: PLC0415

        self._templates = self._templates or Templates()
        publication = publication_of(file_set, self._state_dir)
        account = Account(SetState(file_set), self._remarks, self._clock)
        sequence = SetSequence(account, publication, self._results, self._clock)
        return SetKeeper(
            sequence,
            self._store,
            self._clock,
            self._own,
            self._templates,
            retry_every=self._retry_every,
            look_every=self._look_every,
            brought=self._brought,
        )

    def _begin(self, keepers: Sequence["SetKeeper"], gone: Sequence["SetKeeper"]) -> None:
        """Have them run, once those who kept these places before are gone."""
        if self._group is None or not keepers:
            return
        if self._watching is None:
            from agent.files.watching import Watching  # noqa: PLC0415

            self._watching = Watching(self.directories, self._touched)
            self._group.start_soon(self._watching.run)
        for each in keepers:
            self._group.start_soon(self._follow, each, gone)

    async def _follow(self, keeper: "SetKeeper", gone: Sequence["SetKeeper"]) -> None:
        for each in gone:
            await each.gone.wait()
        await keeper.run()

    def _brought(self) -> None:
        """What stands in files counts as read."""
        self._usage.rendered(key for each in self._keepers for key in each.state.keys)
        if self._watching is not None:
            self._watching.renew()

    @property
    def watches(self) -> frozenset[str]:
        """The directories that the kernel watches for us now."""
        return frozenset() if self._watching is None else self._watching.watched

    def directories(self) -> Iterator[Path]:
        """Those that are to be watched: where somebody could touch what is rendered, or what it is made of."""
        for each in tuple(self._keepers):
            yield from each.directories()

    def _touched(self) -> None:
        for each in self._keepers:
            each.touched()

    def _stir(self, *_: object) -> None:
        for each in self._keepers:
            each.stir()

    @contextmanager
    def _listening(self) -> Iterator[None]:
        with self._store.subscribe(self._stir), self._store.subscribe_time(self._stir):
            yield

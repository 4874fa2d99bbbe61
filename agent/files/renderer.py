"""Keep the rendered files at the current snapshot: woken by a swap, working beside the event loop."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import anyio
from anyio import to_thread
from anyio.abc import TaskStatus

from agent.files.file_set import FileSet
from agent.files.rendering import rendered
from agent.files.templates import Templates
from agent.files.unrenderable import UnrenderableError
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from agent.snapshot.usage import Usage
from shared.domain.context import ANYBODY, EvaluationContext
from shared.runtime.clock import Clock, unix_ms
from shared.runtime.whole_file import write_if_changed

RETRY_EVERY = 30.0
"""Seconds after which a file that could not be written is tried again when nothing changes meanwhile."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class RenderedFile:
    """How one file stands. `revision` and `rendered_at` are of the last time that the file was brought up to date."""

    file_set: FileSet
    revision: int | None = None
    rendered_at: datetime | None = None
    size: int = 0
    writes: int = 0
    failures: int = 0
    error: str = ""
    keys: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Where it is."""
        return str(self.file_set.files[0].path)

    @property
    def format(self) -> str:
        """What it is."""
        return self.file_set.files[0].format


class Renderer:
    """Writes each file when its content changed, by a change or by the clock; files are for the agent itself (`own`).

    An error is kept for `/status` and tried again; it stops nothing.
    Swaps that come while it works are taken together: only the newest snapshot is rendered next.
    """

    def __init__(
        self,
        store: SnapshotStore,
        file_sets: Sequence[FileSet],
        clock: Clock,
        *,
        retry_every: float = RETRY_EVERY,
        usage: Usage | None = None,
        own: EvaluationContext = ANYBODY,
    ) -> None:
        self.files = [RenderedFile(each) for each in file_sets]
        self._store, self._clock, self._retry_every = store, clock, retry_every
        self._usage, self._own = usage or Usage(clock), own
        self._templates = Templates()
        self._swapped = anyio.Event()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Render what is there, then after every swap, until cancelled."""
        with self._listening():
            await self.render()
            task_status.started()
            while True:
                with self._patience():
                    await self._swapped.wait()
                self._swapped = anyio.Event()
                await self.render()

    def take(self, file_sets: Sequence[FileSet]) -> None:
        """Render these from now on; what is not among them stays as it was written."""
        known = list(self.files)
        self.files[:] = [
            next((k for k in known if k.file_set == each), None) or RenderedFile(each) for each in file_sets
        ]
        self._swapped.set()

    async def render(self) -> bool:
        """Bring every file to the current snapshot; returns whether all of them are. Nothing happens before the first."""
        if self.files and self._store.ready:
            await to_thread.run_sync(self._render_all, tuple(self.files), self._store.current)
            self._usage.rendered(key for each in self.files for key in each.keys)
        return self._store.ready and not any(each.error for each in self.files)

    @contextmanager
    def _listening(self) -> Iterator[None]:
        store = self._store
        with (
            store.subscribe(lambda _old, _new: self._swapped.set()),
            store.subscribe_time(lambda _snapshot, _keys: self._swapped.set()),
        ):
            yield

    def _patience(self) -> anyio.CancelScope:
        failed = any(each.error for each in self.files)
        return anyio.move_on_after(self._retry_every if failed else None)

    def _render_all(self, files: Sequence[RenderedFile], snapshot: Snapshot) -> None:
        for each in files:
            try:
                written = self._render_one(each, snapshot)
            except (OSError, UnrenderableError) as error:
                self._failed(each, _reason(error))
            else:
                self._succeeded(each, snapshot.revision, written=written)

    def _render_one(self, file: RenderedFile, snapshot: Snapshot) -> bool:
        content = rendered(file.file_set, snapshot, self._own, unix_ms(self._clock.now()), self._templates)[file.path]
        written = write_if_changed(Path(file.path), content.data, content.mode)
        file.size, file.keys = len(content.data), content.keys
        return written

    def _succeeded(self, file: RenderedFile, revision: int, *, written: bool) -> None:
        if file.error:
            _log.info("a file can be rendered again", extra={"file": file.path})
        file.error, file.revision = "", revision
        if written or file.rendered_at is None:
            file.rendered_at = self._clock.now()
        file.writes += written

    def _failed(self, file: RenderedFile, reason: str) -> None:
        if file.error != reason:
            _log.error("a file cannot be rendered", extra={"file": file.path, "reason": reason})
        file.error = reason
        file.failures += 1


def _reason(error: Exception) -> str:
    if isinstance(error, UnrenderableError):
        return error.why
    if isinstance(error, OSError):
        return f"{error.strerror or error} ({error.filename})" if error.filename else str(error.strerror or error)
    return str(error)


__all__ = ["RETRY_EVERY", "RenderedFile", "Renderer"]

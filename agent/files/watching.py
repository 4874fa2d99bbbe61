"""Hear of it when somebody touches what file sets are made of, or what was published of them.

The kernel tells us (watchfiles), which costs next to nothing and is prompt. Where it cannot, as on network file systems or
when its watches are used up, nothing is lost: keepers of sets look for themselves now and then.
"""

import logging
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import anyio
from anyio import to_thread
from anyio.abc import TaskStatus

RENEW_EVERY = 10.0
"""Seconds between two looks at which directories there are to watch: generations come and go."""
MAX_DIRECTORIES = 1_000
"""That are watched at once; what is beyond them is only looked at now and then."""
_SIGN_OF_LIFE_MS = 1_000
_STEP_MS, _DEBOUNCE_MS = 200, 600
"""How often the watching thread looks up for events, and how long a storm of them is collected at most."""

_Watched: TypeAlias = frozenset[tuple[str, int]]
"""By path and by number: one that was removed and made again is another one."""

_log = logging.getLogger(__name__)


class Watching:
    """Calls `touched` when something happened in one of the `directories`, which are asked for now and then."""

    def __init__(
        self, directories: Callable[[], Iterable[Path]], touched: Callable[[], None], renew_every: float = RENEW_EVERY
    ) -> None:
        self._directories, self._touched, self._renew_every = directories, touched, renew_every
        self._moved = anyio.Event()
        self._told = False
        self.watched: frozenset[str] = frozenset()
        """Those that the kernel watches now."""

    def renew(self) -> None:
        """There may be other directories to watch."""
        self._moved.set()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Watch until cancelled."""
        task_status.started()
        while True:
            watched = await to_thread.run_sync(self._now)
            if watched:
                await self._guarded(watched)
            else:
                await self._pause()

    async def _guarded(self, watched: _Watched) -> None:
        """Watch these until there are others; without the kernel's help, wait for others."""
        try:
            await self._watch(watched)
        except* (OSError, RuntimeError) as group:
            if not self._told:
                self._told = True
                reason = "; ".join(str(each) for each in group.exceptions)
                _log.warning("the kernel does not watch for us: we look now and then", extra={"reason": reason})
            await self._pause()

    async def _watch(self, watched: _Watched) -> None:
        from watchfiles import awatch  # noqa: PLC0415 - memory that only who has something to watch should pay

        logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it would say a line for each touch
        stop, self.watched = anyio.Event(), frozenset()
        async with anyio.create_task_group() as group:
            group.start_soon(self._until_others, watched, stop)
            async for changes in awatch(
                *(path for path, _ in watched),
                watch_filter=None,
                debounce=_DEBOUNCE_MS,
                step=_STEP_MS,
                rust_timeout=_SIGN_OF_LIFE_MS,
                yield_on_timeout=True,
                stop_event=stop,
                recursive=False,
                ignore_permission_denied=True,
            ):
                if changes or not self.watched:  # what happened before we watched is looked for once
                    self.watched = frozenset(path for path, _ in watched)
                    self._touched()
                if any(path in self.watched for _, path in changes):  # it is gone, or another one has its name
                    break
            group.cancel_scope.cancel()
        self.watched = frozenset()
        self._touched()  # one that is gone tells nothing any more

    async def _until_others(self, watched: _Watched, stop: anyio.Event) -> None:
        """Also when cancelled: without `stop` the watching thread would hold us up."""
        try:
            while await to_thread.run_sync(self._now) == watched:
                await self._pause()
        finally:
            stop.set()

    async def _pause(self) -> None:
        with anyio.move_on_after(self._renew_every):
            await self._moved.wait()
        self._moved = anyio.Event()

    def _now(self) -> _Watched:
        """Those that are there."""
        found = ((str(each), _number(each)) for each in dict.fromkeys(self._directories()))
        return frozenset(islice(((path, number) for path, number in found if number is not None), MAX_DIRECTORIES))


def _number(directory: Path) -> int | None:
    try:
        return directory.stat().st_ino if directory.is_dir() else None
    except OSError:
        return None

"""The one place where the current snapshot stands: readers take it with one attribute read, the synchronizer swaps it."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

from agent.snapshot.model import Snapshot

Listener: TypeAlias = Callable[[Snapshot, Snapshot], None]
"""Called with the old and the new snapshot, right after the swap; it must be quick and must not block."""

TimeListener: TypeAlias = Callable[[Snapshot, Sequence[str]], None]
"""Called when the clock changed what the current snapshot yields, with the keys that it may be about."""

_log = logging.getLogger(__name__)


class SnapshotStore:
    """Holds one consistent snapshot; a swap is atomic; readers never block and never see half of one.

    `ready` says whether there is anything to serve: a snapshot that was kept or fetched, even an empty one.
    """

    __slots__ = ("_listeners", "_time_listeners", "current", "listener_errors", "ready")

    def __init__(self, initial: Snapshot) -> None:
        self.current = initial
        self.ready = False
        self.listener_errors = 0
        self._listeners: list[Listener] = []
        self._time_listeners: list[TimeListener] = []

    def swap(self, snapshot: Snapshot) -> None:
        """Make `snapshot` what readers see, then tell the listeners; one that raises does not disturb the others."""
        old, self.current = self.current, snapshot
        self.ready = True
        for listener in tuple(self._listeners):
            with self._guarded():
                listener(old, snapshot)

    def time_passed(self, keys: Sequence[str]) -> None:
        """The clock changed what these keys may yield; nothing else did."""
        for listener in tuple(self._time_listeners):
            with self._guarded():
                listener(self.current, keys)

    @contextmanager
    def subscribe_time(self, listener: TimeListener) -> Iterator[None]:
        """Have `listener` called whenever the clock changes something, until the block ends."""
        self._time_listeners.append(listener)
        try:
            yield
        finally:
            self._time_listeners.remove(listener)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except Exception:  # noqa: BLE001 - somebody else's code; the snapshot stands whatever it does
            self.listener_errors += 1
            _log.exception("a listener failed", extra={"revision": self.current.revision})

    @contextmanager
    def subscribe(self, listener: Listener) -> Iterator[None]:
        """Have `listener` called after every swap until the block ends."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

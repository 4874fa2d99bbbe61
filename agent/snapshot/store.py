"""The one place where the current snapshot stands: readers take it with one attribute read, the synchronizer swaps it.

What is applied and what is shown are the same, unless somebody put a lens between them: a developer's override file, or
the fallback to an older snapshot. The synchronizer only ever looks at what is applied.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

from agent.snapshot.model import Snapshot

Listener: TypeAlias = Callable[[Snapshot, Snapshot], None]
"""Called with the old and the new snapshot, right after the swap; it must be quick and must not block."""

Lens: TypeAlias = Callable[[Snapshot], Snapshot]
"""What readers are shown for an applied snapshot. A lens that raises is left out until the next swap."""

TimeListener: TypeAlias = Callable[[Snapshot, Sequence[str]], None]
"""Called when the clock changed what the current snapshot yields, with the keys that it may be about."""

_log = logging.getLogger(__name__)


class SnapshotStore:
    """Holds one consistent snapshot; a swap is atomic; readers never block and never see half of one.

    `applied` is what was kept or fetched, `chosen` what the lenses made of it, and `current` what readers see. `ready` says
    whether there is anything to serve: an applied snapshot, even an empty one. `settling`: secrets that the first one
    refers to are being fetched.
    """

    __slots__ = (
        "_complete",
        "_lenses",
        "_listeners",
        "_time_listeners",
        "applied",
        "chosen",
        "current",
        "listener_errors",
        "ready",
        "settling",
    )

    def __init__(self, initial: Snapshot) -> None:
        self.applied = self.chosen = self.current = initial
        self._complete: Lens | None = None
        self.settling = False
        self._lenses: dict[str, Lens] = {}
        self.ready = False
        self.listener_errors = 0
        self._listeners: list[Listener] = []
        self._time_listeners: list[TimeListener] = []

    def swap(self, snapshot: Snapshot) -> None:
        """Make `snapshot` what is applied and shown, then tell the listeners; one that raises does not disturb the others."""
        self.applied = snapshot
        self.ready = True
        self._show()

    def look_through(self, name: str, lens: Lens | None) -> None:
        """Show snapshots through a lens from now on, or no longer; what readers see changes at once."""
        if lens is None:
            self._lenses.pop(name, None)
        else:
            self._lenses[name] = lens
        self._show()

    def completed_by(self, lens: Lens) -> None:
        """Have what was chosen completed by a last lens, which leaves it what it is: it fills in what values refer to."""
        self._complete = lens

    def show_again(self) -> None:
        """Something else that answers depend on changed: whoever keeps answers hears of it as of a swap."""
        self._show()

    def _show(self) -> None:
        shown = self.applied
        for lens in self._lenses.values():
            with self._guarded():
                shown = lens(shown)
        self.chosen = shown
        if self._complete is not None:
            with self._guarded():
                shown = self._complete(shown)
        old, self.current = self.current, shown
        for listener in tuple(self._listeners):
            with self._guarded():
                listener(old, shown)

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

"""Where the flags stand: by it a client of an event stream knows whether it has seen what there is."""

from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from shared.runtime.clock import Clock


class Position:
    """A text that is another one whenever answers may be: by a change, by the clock, by what the agent shows instead.

    It is made of the revision, of the moment at which the clock next changes something, and of how often something else
    did. So a restarted agent mostly stands where it stood, and its clients need not fetch all again.
    """

    def __init__(self, store: SnapshotStore, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._others = 0
        self._of: tuple[Snapshot, int] | None = None
        self._until_ms: int | None = None
        self._text = ""
        self.since_ms = clock.now_ms()

    @property
    def text(self) -> str:
        """The position now."""
        now_ms, snapshot = self._clock.now_ms(), self._store.current
        if not self._stands(snapshot, now_ms):
            self._of, self._until_ms = (snapshot, now_ms), snapshot.program.next_moment(now_ms)
            self._text = f"{snapshot.revision}-{self._until_ms or 0}-{self._others}"
        return self._text

    @property
    def etag(self) -> str:
        """The same, as a tag."""
        return f'"{self.text}"'

    @property
    def since(self) -> int:
        """When it became this one, in unix seconds."""
        return self.since_ms // 1000

    def moved(self, old: Snapshot, new: Snapshot) -> None:
        """A snapshot was swapped, perhaps for another of the same revision."""
        self._others = self._others + 1 if old.revision == new.revision and old is not new else 0
        self.passed()

    def passed(self) -> None:
        """The clock changed something."""
        self._of = None
        self.since_ms = self._clock.now_ms()

    def _stands(self, snapshot: Snapshot, now_ms: int) -> bool:
        if self._of is None or self._of[0] is not snapshot or now_ms < self._of[1]:
            return False
        return self._until_ms is None or now_ms < self._until_ms

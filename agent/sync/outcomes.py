"""How uses of candidates and baselines ended, counted by when that was, until the control plane has received it."""

from collections import OrderedDict
from contextlib import AbstractContextManager
from dataclasses import dataclass

from agent.sync.observers import Observer, Observers
from shared.wire.evidence import MAX_COUNT, MAX_OUTCOMES, OutcomeCounts

BUCKET_MS = 5_000
"""How long the outcomes of one count take to happen."""
OLDEST_MS = 3_600_000
"""Outcomes older than this are not taken."""
MAX_CELLS = 5_000
"""Counts that wait; the oldest give way, and are counted as dropped."""


@dataclass(slots=True)
class _Cell:
    succeeded: int = 0
    failed: int = 0


class Outcomes:
    """Counts by rollout, arm and the few seconds in which they happened. What is taken for a report is gone from here."""

    def __init__(self) -> None:
        self.dropped = 0
        self.counted = 0
        self._cells: OrderedDict[tuple[str, str, int], _Cell] = OrderedDict()
        self._observers = Observers()

    def __len__(self) -> int:
        return len(self._cells)

    def count(self, rollout: str, arm: str, at_ms: int, succeeded: int, failed: int) -> None:
        """Count outcomes that happened at a moment."""
        key = (rollout, arm, at_ms // BUCKET_MS * BUCKET_MS)
        cell = self._cells.get(key)
        if cell is None:
            if len(self._cells) >= MAX_CELLS:
                _, oldest = self._cells.popitem(last=False)
                self.dropped += oldest.succeeded + oldest.failed
            cell = self._cells[key] = _Cell()
        cell.succeeded = min(MAX_COUNT, cell.succeeded + succeeded)
        cell.failed = min(MAX_COUNT, cell.failed + failed)
        self.counted += succeeded + failed
        self._observers.tell()

    def take(self) -> tuple[OutcomeCounts, ...]:
        """The oldest counts, as many as one report holds."""
        taken: list[OutcomeCounts] = []
        while self._cells and len(taken) < MAX_OUTCOMES:
            (rollout, arm, at), cell = self._cells.popitem(last=False)
            taken.append(OutcomeCounts(rollout, arm, at, cell.succeeded, cell.failed))
        return tuple(taken)

    def observe(self, observer: Observer) -> AbstractContextManager[None]:
        """Have `observer` called at each count until the block ends."""
        return self._observers.observe(observer)

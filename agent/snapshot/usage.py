"""How often each config is read: counted on the way of every read, told to the control plane with each report."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice

from shared.runtime.clock import Clock, SystemClock
from shared.wire.report import MAX_COUNTED_KEYS, ReadCounts

FILES_EVERY = 3_600.0
"""Seconds after which what stands in rendered files counts as read once more: nobody sees who reads a file."""


class Usage:
    """Reads since the last report.

    A reader of one config counts in `keys`, with `usage.keys[key] += 1` and nothing else; one that takes many at once
    counts in `bulk`, because what it uses of them is not known. `reasons` counts since the start why each config that was
    resolved yielded what it did.
    """

    __slots__ = ("_clock", "_counted_at", "_in_files", "_settle", "bulk", "keys", "reasons")

    def __init__(self, clock: Clock | None = None) -> None:
        self.keys: defaultdict[str, int] = defaultdict(int)
        self.bulk = 0
        self.reasons: Counter[str] = Counter()
        self._clock = clock or SystemClock()
        self._in_files: frozenset[str] = frozenset()
        self._counted_at = float("-inf")
        self._settle: list[Callable[[], None]] = []

    @contextmanager
    def settled_by(self, settle: Callable[[], None]) -> Iterator[None]:
        """Have somebody who counts by himself tell it here before anybody looks, until the block ends."""
        self._settle.append(settle)
        try:
            yield
        finally:
            settle()
            self._settle.remove(settle)

    def settle(self) -> None:
        """Know of everything that was read until now."""
        for each in self._settle:
            each()

    def rendered(self, keys: Iterable[str]) -> None:
        """These stand in files from now on: read now, and once an hour for as long as they stand there."""
        self._in_files = frozenset(keys)
        self._counted_at = float("-inf")

    def take(self) -> ReadCounts:
        """What was counted, of so many keys as one report may name. The others wait for the next one, and go first."""
        self.settle()
        now = self._clock.monotonic()
        if self._in_files and now - self._counted_at >= FILES_EVERY:
            self._counted_at = now
            for key in self._in_files:
                self.keys[key] += 1
        counted = {key: self.keys.pop(key) for key in list(islice(self.keys, MAX_COUNTED_KEYS))}
        bulk, self.bulk = self.bulk, 0
        return ReadCounts(counted, bulk, len(self.keys))

    def give_back(self, counts: ReadCounts) -> None:
        """Count again what could not be told."""
        for key, reads in counts.keys.items():
            self.keys[key] += reads
        self.bulk += counts.bulk

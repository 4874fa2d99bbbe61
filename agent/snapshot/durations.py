"""How long something takes, as a histogram: counted where it happens, read by `/metrics`."""

from bisect import bisect_left
from collections.abc import Sequence

QUICK = (0.000_001, 0.000_002, 0.000_005, 0.000_01, 0.000_02, 0.000_05, 0.000_1, 0.000_5, 0.001, 0.01)
"""Upper bounds, in seconds, for what takes microseconds."""
BULKY = (0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0)
"""For what takes a part of a millisecond."""
SLOW = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0)
"""For disks and for what other programs do."""


class Durations:
    """So many of at most so long. `buckets` are what lies between two bounds, the last one what lies above all."""

    __slots__ = ("bounds", "buckets", "seconds")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.buckets = [0] * (len(self.bounds) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """One more."""
        self.buckets[bisect_left(self.bounds, seconds)] += 1
        self.seconds += seconds

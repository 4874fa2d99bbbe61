"""Counters of requests within one process: alone, and for when Redis is away."""

from collections import OrderedDict

from control_plane.domain.rates import Rate, Taken, take
from shared.runtime.clock import Clock, SystemClock

MAX_NAMES = 50_000
"""Whoever asked longest ago is forgotten first."""


class MemoryRateCounters:
    """When what each took so far will be paid for."""

    def __init__(self, clock: Clock | None = None, max_names: int = MAX_NAMES) -> None:
        self._clock, self._max_names = clock or SystemClock(), max_names
        self._paid: OrderedDict[str, float] = OrderedDict()

    async def take(self, name: str, rate: Rate, upto: int = 1) -> Taken:
        taken, self._paid[name] = take(self._paid.get(name, 0.0), self._clock.monotonic(), rate, upto)
        self._paid.move_to_end(name)
        if len(self._paid) > self._max_names:
            self._paid.popitem(last=False)
        return taken

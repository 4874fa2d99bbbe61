"""Counters of who asked how often: between replicas, or within one."""

from typing import Protocol

from control_plane.domain.rates import Rate, Taken


class RateCounters(Protocol):
    """One counter for each name. What nobody took from for a while is forgotten, which costs nobody anything.

    Raises `UnavailableError` while its store is away.
    """

    async def take(self, name: str, rate: Rate, upto: int = 1) -> Taken:
        """Take up to so many from the counter of this name, all at one moment."""
        ...

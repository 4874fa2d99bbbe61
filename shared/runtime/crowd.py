"""How many connections there are, all in all and from one address."""

from collections import Counter
from collections.abc import Callable


def _any(address: str) -> str:
    return address


class Crowd:
    """Counts connections. `origin` says what counts as one address; who is `exempt` counts in the sum only."""

    def __init__(
        self,
        limit: int,
        per_address: int,
        origin: Callable[[str], str] = _any,
        exempt: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._limit, self._per_address = limit, per_address
        self._origin, self._exempt = origin, exempt
        self._connections = 0
        self._by_address: Counter[str] = Counter()

    def enter(self, address: str) -> bool:
        """Count one more; whether it may stay. Either way it has to leave again."""
        self._connections += 1
        origin = self._origin(address)
        self._by_address[origin] += 1
        within = not address or self._by_address[origin] <= self._per_address or self._exempt(address)
        return within and self._connections <= self._limit

    def leave(self, address: str) -> None:
        """Count one less."""
        self._connections -= 1
        origin = self._origin(address)
        self._by_address[origin] -= 1
        if self._by_address[origin] <= 0:
            del self._by_address[origin]

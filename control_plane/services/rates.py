"""Rate limits: who asks too often is told when to come back.

What replicas count together is taken from the shared counter in small batches, so that most requests wait for nobody.
Without the shared counter each replica goes on by counters of its own: nobody is locked out because Redis is away, and
nobody may ask without an end either.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from control_plane.domain.errors import RateLimitedError, UnavailableError
from control_plane.domain.rates import SHARED, Kind, Rate, Taken
from control_plane.metrics import Metrics
from control_plane.ports.rates import RateCounters
from shared.runtime.clock import Clock

MAX_BATCHES = 20_000
BATCH_SECONDS = 1.0
"""How long a batch is good for; what is left of it then is lost."""
_MAX_SUBJECT = 200


@dataclass(frozen=True, slots=True)
class Allowance:
    """What somebody has left of a rate."""

    kind: Kind
    rate: Rate
    remaining: int

    @property
    def reset(self) -> int:
        """Seconds until all of it is there again."""
        return ceil((self.rate.burst - self.remaining) / self.rate.per_second)


@dataclass(slots=True)
class _Batch:
    """What was taken from the shared counter and is not used yet."""

    left: int
    remaining: int
    until: float


class Rates:
    """Counts by kind and subject: the id of a principal, an address, the name of an account."""

    def __init__(
        self, rates: Mapping[Kind, Rate | None], shared: RateCounters, own: RateCounters, clock: Clock, metrics: Metrics
    ) -> None:
        self._rates = {kind: rate for kind, rate in rates.items() if rate is not None}
        self._shared, self._own, self._clock = shared, own, clock
        self._refused = metrics.rate_limited.labels
        self._batches: OrderedDict[str, _Batch] = OrderedDict()

    async def require(self, kind: Kind, subject: str) -> Allowance | None:
        """Count one more; what is left, or None where this kind is not limited.

        Raises:
            RateLimitedError: the subject asks too often.
        """
        rate = self._rates.get(kind)
        if rate is None:
            return None
        name = f"{kind}:{subject[:_MAX_SUBJECT]}"
        taken = await (self._take(name, rate) if kind in SHARED else self._own.take(name, rate))
        if not taken.granted:
            self._refused(kind).inc()
            raise RateLimitedError(kind, rate, taken.wait)
        return Allowance(kind, rate, taken.remaining)

    async def require_left(self, kind: Kind, subject: str) -> None:
        """Count nothing, of what each replica counts for itself.

        Raises:
            RateLimitedError: the subject has nothing left.
        """
        rate = self._rates.get(kind)
        if rate is not None and not (await self._own.take(f"{kind}:{subject[:_MAX_SUBJECT]}", rate, 0)).remaining:
            self._refused(kind).inc()
            raise RateLimitedError(kind, rate, rate.interval)

    async def _take(self, name: str, rate: Rate) -> Taken:
        """One of this replica's batch, or of a new one."""
        batch, now = self._batches.get(name), self._clock.monotonic()
        if batch is not None and batch.left and now < batch.until:
            batch.left -= 1
            return Taken(1, batch.remaining + batch.left)
        try:
            taken = await self._shared.take(name, rate, rate.batch)
        except UnavailableError:
            return await self._own.take(name, rate)
        if taken.granted > 1:
            self._keep(name, _Batch(taken.granted - 1, taken.remaining, now + BATCH_SECONDS))
        return Taken(min(1, taken.granted), taken.remaining + max(0, taken.granted - 1), taken.wait)

    def _keep(self, name: str, batch: _Batch) -> None:
        self._batches[name] = batch
        self._batches.move_to_end(name)
        if len(self._batches) > MAX_BATCHES:
            self._batches.popitem(last=False)

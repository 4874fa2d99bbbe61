"""How long to wait before trying again: exponential with full jitter, so that a fleet never comes back in step."""

from dataclasses import dataclass, field
from random import Random


@dataclass(slots=True)
class Backoff:
    """Waits drawn uniformly from 0 to a ceiling that doubles with each failure (seconds)."""

    base: float = 0.1
    cap: float = 15.0
    random: Random = field(default_factory=Random)
    failures: int = 0

    def next(self, at_least: float = 0.0) -> float:
        """Count one more failure and draw its wait; `at_least` is what the other side asked for (Retry-After)."""
        ceiling = min(self.cap, self.base * 2 ** min(self.failures, 30))
        self.failures += 1
        return at_least + self.random.uniform(0.0, ceiling)

    def reset(self) -> None:
        """Something worked: start again from the base."""
        self.failures = 0

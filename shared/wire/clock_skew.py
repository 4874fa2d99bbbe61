"""By how much an agent's clock differs from the control plane's, on the way to the fleet's view."""

import math
from dataclasses import dataclass
from typing import Self

from shared.domain.codec import Json

SUSPICIOUS = 2.0
"""Seconds from which a difference is worth a look: weights rise and windows open by the agent's clock."""

MAX_SECONDS = 1e11
"""No clock is further off than this."""


@dataclass(frozen=True, slots=True)
class ClockSkew:
    """Seconds by which the agent's clock is ahead (negative: behind), give or take `uncertainty` of them."""

    seconds: float
    uncertainty: float

    @property
    def suspicious(self) -> bool:
        """Whether it differs by more than it should, whatever the measurement's error was."""
        return abs(self.seconds) - self.uncertainty > SUSPICIOUS

    @classmethod
    def from_document(cls, document: Json) -> Self:
        """Read a decoded measurement.

        Raises:
            ValueError: it is none.
        """
        seconds, uncertainty = document["seconds"], document["uncertainty"]
        if not (_is_seconds(seconds) and _is_seconds(uncertainty) and uncertainty >= 0):
            msg = "clock_skew has seconds and their uncertainty"
            raise ValueError(msg)
        return cls(float(seconds), float(uncertainty))


def _is_seconds(value: Json) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and abs(value) <= MAX_SECONDS

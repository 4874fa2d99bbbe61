"""How far the agent's clock is from the control plane's: measured with every report, because exposures go by it.

Each answer tells the control plane's time at some moment between request and answer, so it bounds the difference of the
two clocks; what all measurements have in common bounds it best. They are kept against the monotonic clock: a clock that is set
afterwards does not spoil them.
"""

import logging

from shared.runtime.clock import Clock
from shared.wire.clock_skew import ClockSkew

RESOLUTION = 0.001
"""Seconds that the control plane's time, in whole milliseconds, may be behind itself."""

DRIFT = 1e-4
"""Seconds that two clocks may drift apart each second."""

_log = logging.getLogger(__name__)


class Skew:
    """Bounds on the control plane's time at the monotonic clock's zero; None before the first measurement."""

    __slots__ = ("_bounds", "_clock", "_lead", "_measured_at", "_suspicious")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._bounds: tuple[float, float] | None = None
        self._measured_at = self._lead = 0.0
        self._suspicious = False

    def begin(self) -> float:
        """A request leaves now; what is returned belongs to its answer."""
        return self._clock.monotonic()

    def measured(self, began: float, control_plane_ms: int | None) -> bool:
        """The answer is here, with the control plane's time (unix milliseconds) in it; None: it does not tell.

        Returns whether somebody should hear of it: the clock became suspicious, or is so no more.
        """
        if control_plane_ms is None:
            return False
        ended, seconds = self._clock.monotonic(), control_plane_ms / 1000
        low, high = seconds - ended, seconds + RESOLUTION - began
        if self._bounds is not None:
            drifted = DRIFT * (ended - self._measured_at)
            both = max(low, self._bounds[0] - drifted), min(high, self._bounds[1] + drifted)
            if both[0] <= both[1]:  # else a clock was set, or another replica answered: only the new one counts
                low, high = both
        self._bounds, self._measured_at, self._lead = (low, high), ended, self._now() - ended
        return self._tell()

    @property
    def reading(self) -> ClockSkew | None:
        """What is known now. A clock that moved since the measurement makes it less certain until the next one."""
        if self._bounds is None:
            return None
        low, high = self._bounds
        at = self._clock.monotonic()
        lead = self._now() - at
        error = (high - low) / 2 + DRIFT * (at - self._measured_at) + abs(lead - self._lead)
        return ClockSkew(round(lead - (low + high) / 2, 3), round(error + RESOLUTION / 2, 3))

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _tell(self) -> bool:
        reading = self.reading
        if reading is None or reading.suspicious is self._suspicious:
            return False
        self._suspicious = reading.suspicious
        said = {"seconds": reading.seconds, "uncertainty": reading.uncertainty}
        if reading.suspicious:
            _log.warning("this clock and the control plane's differ: rollouts go by it", extra=said)
        else:
            _log.info("this clock agrees with the control plane's again", extra=said)
        return True

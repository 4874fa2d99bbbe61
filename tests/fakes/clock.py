"""A clock that a test moves."""

from datetime import UTC, datetime, timedelta

from shared.runtime.clock import unix_ms


class ManualClock:
    """Stands still until it is told to advance."""

    def __init__(self) -> None:
        self._seconds = 1_000.0
        self._start = datetime(2026, 1, 1, tzinfo=UTC)

    def set(self, moment: datetime) -> None:
        """Put the hands to a moment; what runs by itself runs on."""
        self._start = moment - timedelta(seconds=self._seconds)

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._seconds)

    def monotonic(self) -> float:
        return self._seconds

    def now_ms(self) -> int:
        return unix_ms(self.now())

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._seconds += seconds

"""Time as something that is handed in, so that tests can hold it still."""

import time
from datetime import UTC, datetime
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MS = 86_400_000


class Clock(Protocol):
    """Tells the time of day and counts seconds."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that only ever grow; for measuring how long."""
        ...

    def now_ms(self) -> int:
        """The time of day in whole milliseconds since 1970; much quicker than by way of a date."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - the one place that may

    def monotonic(self) -> float:
        """Seconds since some moment in the past."""
        return time.monotonic()

    def now_ms(self) -> int:
        """The time of day as evaluation takes it."""
        return time.time_ns() // 1_000_000


def unix_ms(moment: datetime) -> int:
    """Whole milliseconds since 1970, in which exposures count."""
    since = moment - _EPOCH
    return since.days * _DAY_MS + since.seconds * 1_000 + since.microseconds // 1_000

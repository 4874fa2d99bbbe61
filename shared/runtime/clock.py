"""Time as something that is handed in, so that tests can hold it still."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Tells the time of day and counts seconds."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that only ever grow; for measuring how long."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - the one place that may

    def monotonic(self) -> float:
        """Seconds since some moment in the past."""
        return time.monotonic()


def unix_ms(moment: datetime) -> int:
    """Whole milliseconds since 1970, in which exposures count."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)

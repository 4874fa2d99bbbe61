"""When changes may be made: a window opens by a schedule, in a time zone, and stays open for a while.

A schedule is a cron expression of five fields, with the ways of Debian's cron around a change to or from daylight
saving time: a time of day that does not exist that day opens the window at the next one that does, and one that comes
twice opens it the first time. How long it stays open is counted in real time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from shared.wire.problem import Violation

LONGEST_WINDOW = timedelta(days=31)
MAX_SCHEDULE_LENGTH = 200

_FIELDS = 5
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """Opens whenever `schedule` fires on the clocks of `time_zone`, for `duration`."""

    schedule: str
    duration: timedelta
    time_zone: str = "UTC"

    def is_open(self, at: datetime) -> bool:
        """Whether the moment lies in [opening, opening + duration) of some opening."""
        moment = at.astimezone(UTC)  # within a zone, differences would be those of its clocks
        opened = self.next_opening(moment - self.duration)
        return opened is not None and opened <= moment

    def next_opening(self, after: datetime) -> datetime | None:
        """The first opening later than a moment; None if there is none within fifty years."""
        moment = after.astimezone(UTC)
        for opening in CronSim(self.schedule, moment.astimezone(_zone(self.time_zone))):
            if (found := opening.astimezone(UTC)) > moment:  # an hour that comes twice is walked from its first time on
                return found
        return None


def window_violations(pointer: str, window: Window) -> Iterator[Violation]:
    """What makes a window one that cannot be used, if anything."""
    if not timedelta() < window.duration <= LONGEST_WINDOW:
        yield Violation(
            f"{pointer}/duration", f"a window is open for more than 0 s and at most {LONGEST_WINDOW.days} days"
        )
    try:
        _zone(window.time_zone)
    except (KeyError, ValueError, OSError):
        yield Violation(f"{pointer}/time_zone", "is not a time zone's name, such as Europe/Stockholm")
    if (detail := _schedule_problem(window.schedule)) is not None:
        yield Violation(f"{pointer}/schedule", detail)


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _schedule_problem(schedule: str) -> str | None:
    if len(schedule) > MAX_SCHEDULE_LENGTH or len(schedule.split()) != _FIELDS:
        return "a schedule has five fields: minute, hour, day of month, month, day of week"
    try:
        never = next(CronSim(schedule, _EPOCH), None) is None
    except (CronSimError, ValueError) as error:
        return f"is not a schedule ({error})"
    return "never comes about" if never else None

"""Moments as people give them: an instant, or how far from now."""

import re
from datetime import UTC, datetime, timedelta

from control_plane.cli.terminal import EXIT_USAGE, fail
from shared.runtime.clock import SystemClock

_AWAY = re.compile(r"([+-])(\d{1,9})([smhd])")
_LONG = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_HOW = "2030-01-31T08:00:00Z, or +30s, +10m, +2h, +1d from now (- for ago)"


def read_moment(text: str) -> str:
    """A moment for the API: what is given as a distance is counted from now; what names no zone is in UTC."""
    try:
        return _moment(text).isoformat()
    except (ValueError, OverflowError):
        fail(f"{text!r} is no moment: give {_HOW}", EXIT_USAGE)


def read_seconds(text: str) -> int:
    """A length of time for the API."""
    if (length := _LONG.fullmatch(text)) is None:
        fail(f"{text!r} is no length of time: give 90s, 10m, 2h or 1d", EXIT_USAGE)
    return int(timedelta(**{_UNITS[length[2]]: int(length[1])}).total_seconds())


def _moment(text: str) -> datetime:
    if (away := _AWAY.fullmatch(text)) is not None:
        distance = timedelta(**{_UNITS[away[3]]: int(away[2])})
        now = SystemClock().now()
        return now + distance if away[1] == "+" else now - distance
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)

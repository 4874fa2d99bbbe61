"""Times in requests, read in this one place: lengths such as `90s`, `10m` or `2h`, and moments of RFC 3339.

A length may also be a number of seconds. A moment that names no zone is on the clocks of a zone that the request names
beside it (`in_zone`).
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, PlainValidator, WithJsonSchema

LONGEST = timedelta(days=366)
_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_PART = r"([0-9]{1,12}(?:\.[0-9]{1,3})?)(ms|s|m|h|d|w)"
_SPAN = re.compile(rf"(?:{_PART})+")
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)
"""Agents count from there, and what follows after a moment has to be in the calendar too."""
_LONGEST_TEXT = 100
_LONGEST_ZONE = 64
_HOW = f"a length of time: 90s, 10m, 2h, 1h30m, 2d, or a number of seconds; {LONGEST.days} days at most"


def _span(given: Any) -> timedelta:
    milliseconds = _milliseconds(given)
    if not 0 <= milliseconds <= LONGEST.total_seconds() * 1_000:
        raise ValueError(_HOW)
    return timedelta(milliseconds=round(milliseconds))


def _milliseconds(given: Any) -> float:
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        return given * 1_000
    if not isinstance(given, str) or len(given) > _LONGEST_TEXT or _SPAN.fullmatch(given) is None:
        raise ValueError(_HOW)
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, given))


def _moment(given: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(given) if isinstance(given, str) and "T" in given[:_LONGEST_TEXT] else None
    except ValueError:
        moment = None
    if moment is None:
        msg = "a moment as in RFC 3339: 2030-01-31T08:00:00Z"
        raise ValueError(msg)
    return moment


def _zone(given: str) -> str:
    try:
        known = len(given) <= _LONGEST_ZONE and bool(ZoneInfo(given))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        known = False
    if not known:
        msg = "the name of a time zone: UTC, Europe/Stockholm"
        raise ValueError(msg)
    return given


def in_zone(moment: datetime, zone: str | None) -> datetime:
    """The moment in UTC; one without an offset is on that zone's clocks.

    Of an hour that its clocks show twice, the first is meant; of one that they skip, what would be without the skip.

    Raises:
        ValueError: it has no offset, and no zone is named; or it lies before 1970 or after 2999.
    """
    if moment.tzinfo is None:
        if zone is None:
            msg = "say of which zone: with an offset (`Z`, `+01:00`), or name a `time_zone`"
            raise ValueError(msg)
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    msg = "lies outside of the calendar, which is from 1970 to 2999 here"
    try:
        read = moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(msg) from error
    if not _FIRST <= read < _LAST:
        raise ValueError(msg)
    return read


Span: TypeAlias = Annotated[
    timedelta,
    PlainValidator(_span),
    WithJsonSchema(
        {
            "anyOf": [
                {
                    "type": "string",
                    "pattern": r"^([0-9]{1,12}(\.[0-9]{1,3})?(ms|s|m|h|d|w))+$",
                    "maxLength": _LONGEST_TEXT,
                },
                {"type": "number", "minimum": 0, "maximum": LONGEST.total_seconds()},
            ],
            "examples": ["90s", "10m", "2h", 3600],
        }
    ),
]
"""A length of time."""
ZonedMoment: TypeAlias = Annotated[
    datetime,
    PlainValidator(_moment),
    WithJsonSchema({"type": "string", "examples": ["2030-01-31T08:00:00Z", "2030-01-31T08:00:00"]}),
]
"""A moment that may leave it to a `time_zone` beside it on whose clocks it is."""
Instant: TypeAlias = Annotated[
    datetime,
    PlainValidator(lambda given: in_zone(_moment(given), None)),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2030-01-31T08:00:00Z"]}),
]
"""A moment with its offset, read as UTC."""
Zone: TypeAlias = Annotated[str, AfterValidator(_zone)]
"""The name of a time zone."""

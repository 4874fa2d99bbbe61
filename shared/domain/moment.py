"""Moments in the values of attributes: RFC 3339 with an offset, or whole unix milliseconds; compared as instants."""

import re
from datetime import date

from shared.domain.codec import Json

MAX_LENGTH = 64
"""Characters of a moment; whatever is longer is none."""

_MOMENT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
)
_EPOCH = date(1970, 1, 1).toordinal()
_DAY, _HOUR, _MINUTE = 86_400, 3_600, 60
_NS_OF_SECOND, _NS_OF_MS = 1_000_000_000, 1_000_000
_DIGITS = 9


def instant(value: Json) -> int | None:
    """Nanoseconds since 1970 in UTC; None if the value is no moment, such as a text without an offset."""
    if isinstance(value, str):
        return _of_text(value)
    if isinstance(value, bool):
        return None
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return int(value) * _NS_OF_MS
    return None


def _of_text(text: str) -> int | None:
    if len(text) > MAX_LENGTH or (found := _MOMENT.fullmatch(text)) is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, ahead, minutes = found.groups()
    try:
        days = date(int(year), int(month), int(day)).toordinal() - _EPOCH
    except ValueError:
        return None
    seconds = days * _DAY + int(hour) * _HOUR + int(minute) * _MINUTE + int(second)
    if sign is not None:
        offset = int(ahead) * _HOUR + int(minutes) * _MINUTE
        seconds += offset if sign == "-" else -offset
    return seconds * _NS_OF_SECOND + int((fraction or "")[:_DIGITS].ljust(_DIGITS, "0"))

"""Times in requests mean what people mean by them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from control_plane.api.bodies.times import Span, Zone, ZonedMoment, in_zone


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        *[("0s", 0), ("90s", 90), ("10m", 600), ("2h", 7_200), ("1h30m", 5_400), ("2d", 172_800), ("500ms", 0.5)],
        *[("1.5h", 5_400), ("1w", 604_800), (3_600, 3_600), (0.25, 0.25), ("366d", 366 * 86_400)],
    ],
)
def test_lengths_are_read(given: Any, seconds: float) -> None:
    assert TypeAdapter(Span).validate_python(given) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "given", ["", "1", "1y", "-1s", "1 h", "367d", "1e9s", "٣s", "9" * 12 + "w", -1, True, None, float("nan"), [1]]
)
def test_what_is_no_length_is_refused(given: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Span).validate_python(given)


@pytest.mark.parametrize(
    ("given", "zone", "meant"),
    [
        ("2030-01-31T08:00:00Z", None, datetime(2030, 1, 31, 8, tzinfo=UTC)),
        ("2030-01-31T08:00:00+01:00", "UTC", datetime(2030, 1, 31, 7, tzinfo=UTC)),
        ("2030-07-31T08:00:00", "Europe/Stockholm", datetime(2030, 7, 31, 6, tzinfo=UTC)),
        ("2030-03-31T02:30:00", "Europe/Stockholm", datetime(2030, 3, 31, 1, 30, tzinfo=UTC)),  # the clocks skip it
        ("2030-10-27T02:30:00", "Europe/Stockholm", datetime(2030, 10, 27, 0, 30, tzinfo=UTC)),  # they show it twice
    ],
)
def test_moments_are_read_on_the_clocks_of_their_zone(given: str, zone: str | None, meant: datetime) -> None:
    assert in_zone(TypeAdapter(ZonedMoment).validate_python(given), zone) == meant


@pytest.mark.parametrize(
    ("given", "zone"),
    [
        ("2030-01-31T08:00:00", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("1969-12-31T23:59:59Z", None),
        ("3000-01-01T00:00:00Z", None),
    ],
)
def test_moments_of_no_zone_or_outside_of_the_calendar_are_refused(given: str, zone: str | None) -> None:
    with pytest.raises(ValueError, match=r"zone|calendar"):
        in_zone(TypeAdapter(ZonedMoment).validate_python(given), zone)


@pytest.mark.parametrize("given", ["", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", "Europe", "\0", "x" * 80])
def test_what_is_no_time_zone_is_refused(given: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Zone).validate_python(given)

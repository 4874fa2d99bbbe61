"""Windows by the clocks of a time zone, also on the days when those are turned."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.domain.window import LONGEST_WINDOW, Window, window_violations

STOCKHOLM = ZoneInfo("Europe/Stockholm")
"""Turned forward on 2026-03-29 (02:00 becomes 03:00) and back on 2026-10-25 (03:00 becomes 02:00)."""


def _local(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=STOCKHOLM, fold=fold)


def _window(schedule: str, **duration: float) -> Window:
    return Window(schedule, timedelta(**duration), "Europe/Stockholm")


def test_a_window_is_open_from_its_opening_to_before_its_end() -> None:
    office = _window("0 9 * * MON-FRI", hours=8)
    for text, is_open in (
        ("2026-06-01T08:59:59.999999", False),
        ("2026-06-01T09:00", True),
        ("2026-06-01T16:59:59.999999", True),
        ("2026-06-01T17:00", False),
        ("2026-06-06T12:00", False),  # a Saturday
    ):
        assert office.is_open(_local(text)) is is_open, text


def test_the_moment_counts_and_not_the_zone_that_it_is_told_in() -> None:
    office = _window("0 9 * * *", hours=1)
    assert office.is_open(datetime(2026, 6, 1, 7, 30, tzinfo=UTC))  # summer: two hours behind
    assert office.is_open(datetime(2026, 12, 1, 8, 30, tzinfo=UTC))  # winter: one hour behind
    assert not office.is_open(datetime(2026, 12, 1, 7, 30, tzinfo=UTC))


def test_a_time_that_does_not_exist_opens_at_the_next_one_that_does() -> None:
    night = _window("30 2 * * *", hours=1)
    assert not night.is_open(_local("2026-03-29T01:59:59"))
    assert night.is_open(_local("2026-03-29T03:00"))
    assert night.is_open(_local("2026-03-29T03:59:59"))
    assert not night.is_open(_local("2026-03-29T04:00"))


def test_a_time_that_comes_twice_opens_once() -> None:
    night = _window("30 2 * * *", minutes=20)
    assert night.is_open(_local("2026-10-25T02:40"))
    assert not night.is_open(_local("2026-10-25T02:55"))
    assert not night.is_open(_local("2026-10-25T02:40", fold=1))
    assert night.next_opening(_local("2026-10-25T02:10", fold=1)) == _local("2026-10-26T02:30")


def test_how_long_it_is_open_is_real_time() -> None:
    evening = _window("0 22 * * *", hours=6)
    assert evening.is_open(_local("2026-03-29T04:59:59"))  # an hour is missing in between
    assert not evening.is_open(_local("2026-03-29T05:00"))
    assert evening.is_open(_local("2026-10-25T02:59:59", fold=1))  # an hour comes twice in between
    assert not evening.is_open(_local("2026-10-25T03:00"))


def test_every_hour_means_every_real_hour() -> None:
    hourly = _window("30 * * * *", minutes=10)
    assert hourly.is_open(_local("2026-10-25T02:35"))
    assert hourly.is_open(_local("2026-10-25T02:35", fold=1))


def test_it_is_told_when_a_window_opens_next() -> None:
    friday = Window("0 14 * * FRI", timedelta(hours=2), "UTC")
    at = datetime(2026, 6, 1, tzinfo=UTC)
    assert friday.next_opening(at) == datetime(2026, 6, 5, 14, tzinfo=UTC)
    assert friday.next_opening(datetime(2026, 6, 5, 14, tzinfo=UTC)) == datetime(2026, 6, 12, 14, tzinfo=UTC)


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis wants it so
    st.sampled_from(["Europe/Stockholm", "America/New_York", "Australia/Lord_Howe", "UTC", "Asia/Kathmandu"]),
    st.sampled_from(["30 2 * * *", "*/20 * * * *", "0 1-3 * * SUN", "15 2 25 10 *", "0 0 L * *", "59 1 * 3,10 SUN"]),
    st.integers(1, 3 * 24 * 60),
)
def test_a_window_is_open_just_after_each_opening_and_shut_before_where_none_was(
    at: datetime, zone: str, schedule: str, minutes: int
) -> None:
    window = Window(schedule, timedelta(minutes=minutes), zone)
    opening = window.next_opening(at)
    assert opening is not None
    assert opening > at
    assert window.is_open(opening)
    assert window.is_open(opening + window.duration - timedelta(microseconds=1))
    assert not window.is_open(opening - timedelta(microseconds=1)) or window.is_open(at)


@pytest.mark.parametrize(
    ("window", "pointer"),
    [
        (Window("* * * *", timedelta(hours=1)), "/w/schedule"),
        (Window("0 0 0 * * *", timedelta(hours=1)), "/w/schedule"),
        (Window("61 * * * *", timedelta(hours=1)), "/w/schedule"),
        (Window("0 0 30 2 *", timedelta(hours=1)), "/w/schedule"),
        (Window("0 0 31 2,4 *", timedelta(hours=1)), "/w/schedule"),
        (Window("0 0 * * " + "1," * 200, timedelta(hours=1)), "/w/schedule"),
        (Window("0 0 * * *", timedelta()), "/w/duration"),
        (Window("0 0 * * *", LONGEST_WINDOW + timedelta(seconds=1)), "/w/duration"),
        (Window("0 0 * * *", timedelta(hours=1), "Mars/Olympus"), "/w/time_zone"),
        (Window("0 0 * * *", timedelta(hours=1), "../../etc/passwd"), "/w/time_zone"),
        (Window("0 0 * * *", timedelta(hours=1), ""), "/w/time_zone"),
        (Window("0 0 * * *", timedelta(hours=1), "\0"), "/w/time_zone"),
    ],
)
def test_a_window_that_cannot_be_used_is_told_why(window: Window, pointer: str) -> None:
    assert [each.pointer for each in window_violations("/w", window)] == [pointer]

"""Moments as people give them on the command line."""

from datetime import UTC, datetime, timedelta

import pytest

from control_plane.cli.times import read_moment
from shared.runtime.clock import SystemClock


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        ("2030-01-31T08:00:00Z", datetime(2030, 1, 31, 8, tzinfo=UTC)),
        ("2030-01-31T08:00:00+02:00", datetime(2030, 1, 31, 6, tzinfo=UTC)),
        ("2030-01-31 08:00", datetime(2030, 1, 31, 8, tzinfo=UTC)),
        ("2030-01-31", datetime(2030, 1, 31, tzinfo=UTC)),
    ],
)
def test_an_instant_without_a_zone_is_in_utc(given: str, moment: datetime) -> None:
    assert datetime.fromisoformat(read_moment(given)) == moment


@pytest.mark.parametrize(
    ("given", "away"),
    [("+30s", timedelta(seconds=30)), ("+10m", timedelta(minutes=10)), ("-2h", timedelta(hours=-2))],
)
def test_a_distance_is_counted_from_now(given: str, away: timedelta) -> None:
    before = SystemClock().now()
    assert before <= datetime.fromisoformat(read_moment(given)) - away <= SystemClock().now()


@pytest.mark.parametrize("given", ["", "soon", "+1", "+1w", "+-1s", "+999999999d", "2030-13-01", "٣"])
def test_what_is_no_moment_is_refused_with_how_to_give_one(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_moment(given)
    assert "+10m" in capsys.readouterr().err

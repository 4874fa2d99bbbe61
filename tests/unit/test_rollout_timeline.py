"""A pause moves nobody, whatever becomes of the clock meanwhile."""

import pytest

from control_plane.domain.rollouts.timeline import Moment, resumed, weight_at

TIMELINE = (Moment(1_000, 10), Moment(2_000, 50), Moment(9_000, 100))


@pytest.mark.parametrize("now_ms", [3_000, 7_000, 2_500, 2_000, 1_500, 500])
def test_who_was_exposed_at_the_pause_is_exposed_when_it_goes_on(now_ms: int) -> None:
    gone_on = resumed(TIMELINE, 3_000, now_ms)
    assert weight_at(gone_on, now_ms) == 50
    assert weight_at(gone_on, now_ms + 5_999) == 50
    assert weight_at(gone_on, now_ms + 6_000) == 100

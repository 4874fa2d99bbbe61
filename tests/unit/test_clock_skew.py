"""How far the agent's clock is from the control plane's: bounded by every answer, whatever the network does."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.sync.skew import Skew
from shared.runtime.clock import unix_ms
from shared.wire.clock_skew import ClockSkew
from tests.fakes.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def ask(skew: Skew, clock: ManualClock, ahead: float, there: float = 0.01, back: float = 0.01) -> None:
    """One request to a control plane whose clock is `ahead` seconds behind ours."""
    began = skew.begin()
    clock.advance(there)
    told = unix_ms(clock.now() - timedelta(seconds=ahead))
    clock.advance(back)
    skew.measured(began, told)


@given(
    st.floats(-1e6, 1e6),
    st.lists(st.tuples(st.floats(0, 5), st.floats(0, 5), st.floats(0, 1_000)), min_size=1, max_size=10),
)
def test_the_true_difference_is_always_within_the_uncertainty(
    ahead: float, asked: list[tuple[float, float, float]]
) -> None:
    clock = ManualClock()
    skew = Skew(clock)
    for there, back, pause in asked:
        ask(skew, clock, ahead, there, back)
        clock.advance(pause)
        assert (reading := skew.reading) is not None
        assert abs(reading.seconds - ahead) <= reading.uncertainty + 0.002


def test_nothing_is_known_before_the_first_answer_nor_by_one_without_a_time(clock: ManualClock) -> None:
    skew = Skew(clock)
    assert skew.reading is None
    skew.measured(skew.begin(), None)
    assert skew.reading is None


def test_quick_answers_make_it_exact_and_slow_ones_do_not_spoil_it(clock: ManualClock) -> None:
    skew = Skew(clock)
    ask(skew, clock, 30.0)
    for _ in range(5):
        ask(skew, clock, 30.0, there=4.0, back=0.1)
    assert skew.reading is not None
    assert skew.reading.seconds == pytest.approx(30.0, abs=0.02)
    assert skew.reading.uncertainty < 0.02
    assert skew.reading.suspicious


def test_a_difference_that_slow_answers_may_explain_is_not_suspicious(clock: ManualClock) -> None:
    skew = Skew(clock)
    ask(skew, clock, 0.0, there=9.0, back=0.0)
    assert skew.reading is not None
    assert skew.reading.seconds == pytest.approx(-4.5, abs=0.01)
    assert not skew.reading.suspicious


def test_a_clock_that_is_set_is_uncertain_until_the_next_answer(clock: ManualClock) -> None:
    skew = Skew(clock)
    ask(skew, clock, 0.0)
    clock.set(clock.now() + timedelta(seconds=60))
    assert skew.reading is not None
    assert skew.reading.seconds == pytest.approx(60, abs=0.02)
    assert not skew.reading.suspicious
    ask(skew, clock, 60.0)
    assert skew.reading.suspicious
    assert skew.reading.uncertainty < 0.02


def test_a_control_plane_whose_clock_is_set_is_believed_at_once(clock: ManualClock) -> None:
    skew = Skew(clock)
    ask(skew, clock, 0.0)
    ask(skew, clock, -45.0)
    assert skew.reading is not None
    assert skew.reading.seconds == pytest.approx(-45.0, abs=0.02)


@pytest.mark.parametrize(
    ("seconds", "uncertainty"), [("1", 0), (True, 0), (1.0, -1.0), (1e30, 0), (float("nan"), 0), (None, None)]
)
def test_what_is_no_measurement_is_told_as_such(seconds: object, uncertainty: object) -> None:
    with pytest.raises(ValueError, match="clock_skew"):
        ClockSkew.from_document({"seconds": seconds, "uncertainty": uncertainty})

"""The comparison of a candidate with its baseline keeps its promises, by simulation with fixed seeds."""

import random
from collections.abc import Callable, Iterable
from math import exp, log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.domain.gates.comparison import Block, Comparison
from control_plane.domain.gates.evalue import Rates, Tally, log_e_value
from shared.domain.codec import decode, encode

FALSE_ALARM = 0.05
RUNS = 300
BOUND = FALSE_ALARM + 3 * sqrt(FALSE_ALARM * (1 - FALSE_ALARM) / RUNS)
"""More alarms than this, by chance alone, would come once in a thousand times."""
rates = st.floats(0.001, 0.999)
few = st.integers(1, 6)


def tally(rng: random.Random, sample: int, rate: float) -> Tally:
    failed = sum(rng.random() < rate for _ in range(sample))
    return Tally(sample - failed, failed)


def blocks(
    seed: int, number: int, sample: tuple[int, int], rate: Callable[[int], tuple[float, float]]
) -> Iterable[Block]:
    """Outcomes of candidate and baseline; `rate` gives both rates for a block."""
    rng = random.Random(seed)  # noqa: S311 - a simulation, no secret
    for index in range(number):
        candidate, baseline = rate(index)
        yield Block(index, index, tally(rng, sample[0], candidate), tally(rng, sample[1], baseline))


def alarm(series: Iterable[Block], level: float, tolerance: float = 0.0) -> int | None:
    """The number of the block at which somebody who looks after each one raises the alarm."""
    compared = Comparison(0)
    for number, block in enumerate(series, 1):
        compared = compared.after([block], tolerance, 0.01)
        if compared.worse.log_value >= -log(level):
            return number
    return None


@pytest.mark.parametrize(
    ("sample", "rate", "tolerance"),
    [
        ((20, 20), lambda _: (0.05, 0.05), 0.0),
        ((5, 60), lambda _: (0.2, 0.2), 0.0),
        ((40, 40), lambda _: (0.005, 0.005), 0.0),
        ((20, 40), lambda _: (0.07, 0.05), 0.02),
        ((20, 20), lambda _: (0.02, 0.1), 0.0),
    ],
    ids=["equal", "a small canary", "rare failures", "worse by just what is tolerated", "better"],
)
def test_false_alarms_are_as_rare_as_stated_although_somebody_looks_after_each_block(
    sample: tuple[int, int], rate: Callable[[int], tuple[float, float]], tolerance: float
) -> None:
    alarms = [alarm(blocks(seed, 60, sample, rate), FALSE_ALARM, tolerance) for seed in range(RUNS)]
    assert sum(each is not None for each in alarms) / RUNS <= BOUND


def test_a_base_rate_that_drifts_or_jumps_raises_no_alarm() -> None:
    def tides(block: int) -> tuple[float, float]:
        rate = 0.5 if block == 30 else 0.01 + 0.3 * (block % 20) / 20
        return rate, rate

    alarms = [alarm(blocks(seed, 60, (20, 20), tides), FALSE_ALARM) for seed in range(RUNS)]
    assert sum(each is not None for each in alarms) / RUNS <= BOUND


def test_failures_twice_as_frequent_are_found_within_a_thousand_outcomes_of_each_arm() -> None:
    found = [alarm(blocks(seed, 40, (50, 50), lambda _: (0.10, 0.05)), 0.01) for seed in range(100)]
    within = sorted(each * 50 for each in found if each is not None)
    assert len(within) >= 99
    assert within[50] <= 1_000


def test_a_candidate_that_always_fails_is_found_with_the_second_block() -> None:
    assert all(alarm(blocks(seed, 3, (5, 95), lambda _: (1.0, 0.01)), 0.01) == 2 for seed in range(50))


def test_what_goes_wrong_after_a_long_good_time_is_found_soon() -> None:
    def late(block: int) -> tuple[float, float]:
        return (0.3 if block >= 300 else 0.05), 0.05

    found = [alarm(blocks(seed, 330, (20, 20), late), 0.01) for seed in range(20)]
    assert all(each is not None and 300 < each <= 320 for each in found)


def test_a_giant_late_block_of_both_arms_changes_nothing() -> None:
    """An outage of an hour in which half of everything failed, all of it reported at once."""
    series = [
        *blocks(1, 20, (20, 20), lambda _: (0.05, 0.05)),
        Block(21, 3, Tally(50_000, 50_000), Tally(100_000, 100_000)),
    ]
    assert alarm([*series, *blocks(2, 20, (20, 20), lambda _: (0.05, 0.05))], 0.01) is None


def test_a_flood_of_one_arm_alone_is_no_evidence() -> None:
    series = [*blocks(1, 20, (20, 20), lambda _: (0.05, 0.05)), Block(21, 3, Tally(0, 100_000), Tally())]
    assert alarm(series, 0.01) is None


def test_a_candidate_that_is_as_good_is_shown_to_be_safe() -> None:
    for seed in range(20):
        compared = Comparison(0).after(blocks(seed, 60, (100, 100), lambda _: (0.05, 0.05)), 0.0, 0.02)
        assert compared.safe.log_value >= -log(0.05)


def test_a_candidate_that_is_worse_by_the_margin_is_seldom_shown_to_be_safe() -> None:
    safe = 0
    for seed in range(RUNS):
        compared = Comparison(0)
        for block in blocks(seed, 60, (20, 40), lambda _: (0.10, 0.05)):
            compared = compared.after([block], 0.0, 0.05)
            if compared.safe.log_value >= -log(FALSE_ALARM):
                safe += 1
                break
    assert safe / RUNS <= BOUND


@given(few, few, st.tuples(rates, rates), st.tuples(rates, rates), st.floats(0, 0.5))
def test_an_e_value_is_expected_to_be_one_at_most_under_the_null(
    candidates: int, baselines: int, guessed: tuple[float, float], true: tuple[float, float], difference: float
) -> None:
    """Exactly, by going through all outcomes of a small block, on whichever side of the boundary the null lies."""
    guess, truth = Rates(*guessed), Rates(*true)
    if (guess.candidate > guess.baseline + difference) == (truth.candidate > truth.baseline + difference):
        truth = Rates(min(truth.baseline + difference, 1.0), truth.baseline)
    if truth.baseline + difference > 1:
        return  # there is no such null
    expected = 0.0
    for failed in range(candidates + 1):
        for others in range(baselines + 1):
            chance = _binomial(candidates, failed, truth.candidate) * _binomial(baselines, others, truth.baseline)
            arms = Tally(candidates - failed, failed), Tally(baselines - others, others)
            expected += chance * exp(log_e_value(*arms, guess, difference))
    assert expected <= 1 + 1e-9


def _binomial(sample: int, failed: int, rate: float) -> float:
    ways = 1.0
    for index in range(failed):
        ways = ways * (sample - index) / (index + 1)
    return float(ways * rate**failed * (1 - rate) ** (sample - failed))


@given(st.integers(0, 2**32))
def test_a_comparison_goes_on_from_where_it_was_stored(seed: int) -> None:
    series = list(blocks(seed, 12, (20, 20), lambda _: (0.3, 0.2)))
    begun = Comparison(0).after(series[:7], 0.01, 0.02)
    stored = Comparison.from_document(decode(encode(begun.document())))
    assert stored.after(series[7:], 0.01, 0.02) == Comparison(0).after(series, 0.01, 0.02)
    assert Comparison.from_document(decode(encode(Comparison(5).document()))) == Comparison(5)

"""Evidence against a statement about two failure rates, from one block of outcomes: an e-value.

A block holds outcomes of both arms from the same few seconds. The statement (the null) is about their mean failure rates
in that block: candidate <= baseline + d, or candidate >= baseline + d. The e-value is a likelihood ratio: of rates q
that were guessed before the block was seen, to those rates p* in the null that come closest to q, in the sense of
n_b KL(q_b, p_b) + n_c KL(q_c, p_c), for n_b and n_c outcomes of the baseline and of the candidate.

If the null holds, its expectation is at most 1, whatever the true rates are. For independent outcomes of mean rates p it
is at most exp(sum of n (p - p*) (q - p*) / (p* (1 - p*)) over both arms), as 1 + x <= exp(x); and that sum is at most 0
for every p in the null, because p* minimises a convex function over a convex set: its gradient there, times p - p*, is
not negative.

Turner, Ly, Grünwald: Generic E-variables for exact sequential k-sample tests that allow for optional stopping. Journal
of Statistical Planning and Inference 230 (2024). Turner, Grünwald: Exact anytime-valid confidence intervals for
contingency tables and beyond. Statistics & Probability Letters 198 (2023).
"""

from dataclasses import dataclass
from math import log

_CLOSE = 1e-12
"""Rates are guessed to be at least this far from 0 and 1."""
_HALVINGS = 100


@dataclass(frozen=True, slots=True)
class Tally:
    """Outcomes of one arm."""

    succeeded: float = 0
    failed: float = 0

    @property
    def total(self) -> float:
        """How many there are."""
        return self.succeeded + self.failed

    @property
    def rate(self) -> float:
        """The share of failures; 0 of nothing."""
        return self.failed / self.total if self.total else 0.0

    def plus(self, other: "Tally") -> "Tally":
        """Both together."""
        return Tally(self.succeeded + other.succeeded, self.failed + other.failed)


@dataclass(frozen=True, slots=True)
class Rates:
    """A failure rate for each arm."""

    candidate: float
    baseline: float


def log_e_value(candidate: Tally, baseline: Tally, guess: Rates, difference: float) -> float:
    """The logarithm of the e-value against the null on whose boundary candidate = baseline + difference.

    `guess` lies outside the null, and was made without a look at these outcomes.
    """
    q = Rates(_inside(guess.candidate), _inside(guess.baseline))
    nearest = _nearest(q, candidate.total, baseline.total, difference)
    return _log_ratio(candidate, q.candidate, nearest.candidate) + _log_ratio(baseline, q.baseline, nearest.baseline)


def _nearest(q: Rates, candidates: float, baselines: float, difference: float) -> Rates:
    """The rates p* on the boundary; found by halving, as the derivative grows along it."""
    if difference == 0:
        pooled = (candidates * q.candidate + baselines * q.baseline) / (candidates + baselines)
        return Rates(pooled, pooled)
    low = max(min(q.baseline, q.candidate - difference), 0.0)
    high = min(max(q.baseline, q.candidate - difference), 1.0 - difference)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        slope = baselines * _slope(q.baseline, middle) + candidates * _slope(q.candidate, middle + difference)
        low, high = (middle, high) if slope < 0 else (low, middle)
    return Rates(low + difference, low)


def _slope(q: float, p: float) -> float:
    """The derivative of KL(q, p) by p."""
    spread = p * (1 - p)
    return (p - q) / spread if spread > 0 else 0.0


def _log_ratio(tally: Tally, q: float, p: float) -> float:
    return tally.failed * log(q / p) + tally.succeeded * log((1 - q) / (1 - p))


def _inside(rate: float) -> float:
    return min(max(rate, _CLOSE), 1 - _CLOSE)

"""Candidate against baseline, block by block: when it is shown that the candidate is worse, and when that it is not.

Both are e-processes: what somebody has who starts with 1 and wagers on each block at odds that are fair (or worse) as
long as the null holds. By Ville's inequality the probability of ever having 1/a is then at most a, however often one
looks and whenever one stops. Nothing is assumed about how rates move from block to block.

The wager on a block is made with what earlier blocks showed. Guesses of several effects are mixed (a mean of
e-processes is one), and each of them again over the block with which it begins to wager (with 1/(j (j + 1)) for block j),
so that a candidate that goes wrong after an hour is found nearly as fast as one that was wrong from the start.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from math import exp, log, log1p
from typing import Self

from control_plane.domain.gates.evalue import Rates, Tally, log_e_value
from shared.domain.codec import Json

ODDS = (1.5, 3.0, 10.0)
"""By how much a worse candidate is guessed to raise the odds of a failure; one guess more is what it showed so far."""
_REMEMBERED = 0.99
"""Share of what earlier blocks showed that still counts after one more: guesses follow rates that drift."""
_NOTHING = Tally()
_LARGEST = 700.0
"""A logarithm beyond which nobody needs to know how much evidence there is."""


@dataclass(frozen=True, slots=True)
class Block:
    """Outcomes that happened in the same few seconds from `at_ms` on, and were reported until `closed_ms`."""

    closed_ms: int
    at_ms: int
    candidate: Tally
    baseline: Tally


@dataclass(frozen=True, slots=True)
class Wagers:
    """What wagers with different guesses have come to: the logarithm for each, of what has begun to be wagered.

    `blocks` is how many were wagered on. What has not begun yet, 1/(blocks + 1), is kept aside.
    """

    blocks: int = 0
    begun: tuple[float, ...] = ()

    def after(self, log_e_values: tuple[float, ...]) -> "Wagers":
        """Wagered on one block more."""
        number = self.blocks + 1
        begins = -log(number * (number + 1))
        before = self.begun or (float("-inf"),) * len(log_e_values)
        pairs = zip(before, log_e_values, strict=True)
        return Wagers(number, tuple(min(_log_sum(begun, begins) + each, _LARGEST) for begun, each in pairs))

    @property
    def log_value(self) -> float:
        """The logarithm of what there is in all: the evidence against the null."""
        if not self.begun:
            return 0.0
        values = [_log_sum(each, -log(self.blocks + 1)) for each in self.begun]
        total = values[0]
        for each in values[1:]:
            total = _log_sum(total, each)
        return total - log(len(values))


@dataclass(frozen=True, slots=True)
class Comparison:
    """All outcomes of blocks that closed until `until_ms`, and the evidence in them.

    `worse` is evidence against "at most `tolerance` above the baseline", `safe` against "at least `margin` above it".
    `recent` are the outcomes of both arms, candidate first, those of earlier blocks with less weight.
    """

    until_ms: int
    candidate: Tally = _NOTHING
    baseline: Tally = _NOTHING
    recent: tuple[Tally, Tally] = (_NOTHING, _NOTHING)
    worse: Wagers = field(default_factory=Wagers)
    safe: Wagers = field(default_factory=Wagers)

    def after(self, blocks: Iterable[Block], tolerance: float, margin: float) -> "Comparison":
        """What it is with more blocks, in the order in which they closed."""
        compared = self
        for block in blocks:
            compared = compared._with(block, tolerance, margin)
        return compared

    def _with(self, block: Block, tolerance: float, margin: float) -> "Comparison":
        worse, safe = self.worse, self.safe
        if block.candidate.total and block.baseline.total and self.recent[1].total:
            worse = worse.after(self._against_tolerance(block, tolerance))
            safe = safe.after(self._against_margin(block, margin))
        return replace(
            self,
            until_ms=block.closed_ms,
            candidate=self.candidate.plus(block.candidate),
            baseline=self.baseline.plus(block.baseline),
            recent=(_faded(self.recent[0]).plus(block.candidate), _faded(self.recent[1]).plus(block.baseline)),
            worse=worse,
            safe=safe,
        )

    def _against_tolerance(self, block: Block, tolerance: float) -> tuple[float, ...]:
        base = _guess(self.recent[1])
        shown = _guess(self.recent[0])
        guesses = (*(_with_odds(base + tolerance, odds) for odds in ODDS), shown)
        return tuple(
            log_e_value(block.candidate, block.baseline, Rates(each, base), tolerance)
            if each > base + tolerance
            else 0.0
            for each in guesses
        )

    def _against_margin(self, block: Block, margin: float) -> tuple[float, ...]:
        base = _guess(self.recent[1])
        return tuple(
            log_e_value(block.candidate, block.baseline, Rates(each, base), margin) if each < base + margin else 0.0
            for each in (base, _guess(self.recent[0]))
        )

    def document(self) -> dict[str, Json]:
        """All of it, in a form to go on from."""
        return {
            "until": self.until_ms,
            "tallies": [_numbers(each) for each in (self.candidate, self.baseline, *self.recent)],
            "worse": [self.worse.blocks, *self.worse.begun],
            "safe": [self.safe.blocks, *self.safe.begun],
        }

    @classmethod
    def from_document(cls, document: Json) -> Self:
        """Read what `document` wrote."""
        candidate, baseline, *recent = (Tally(*each) for each in document["tallies"])
        worse, safe = (Wagers(blocks, tuple(begun)) for blocks, *begun in (document["worse"], document["safe"]))
        return cls(document["until"], candidate, baseline, (recent[0], recent[1]), worse, safe)


def _guess(seen: Tally) -> float:
    """A failure rate from what was seen; never quite 0 or 1."""
    return (seen.failed + 0.5) / (seen.total + 1)


def _with_odds(rate: float, factor: float) -> float:
    """The rate whose odds are those of another one, times a factor."""
    rate = min(rate, 1.0)
    return rate * factor / (1 - rate + rate * factor)


def _faded(tally: Tally) -> Tally:
    return Tally(tally.succeeded * _REMEMBERED, tally.failed * _REMEMBERED)


def _numbers(tally: Tally) -> list[float]:
    return [tally.succeeded, tally.failed]


def _log_sum(one: float, other: float) -> float:
    """The logarithm of the sum of two numbers of which the logarithms are given."""
    high, low = max(one, other), min(one, other)
    return high if low == float("-inf") else high + log1p(exp(low - high))

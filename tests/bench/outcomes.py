"""How many outcomes it takes to find a worse candidate, and how often one that is no worse is accused."""

import math
import random
from collections.abc import Iterator

from control_plane.domain.gates.comparison import Block, Comparison
from control_plane.domain.gates.evalue import Tally
from control_plane.domain.gates.evidence import BUCKET_MS, PERIOD_MS
from tests.bench.table import Table

FALSE_ALARM = 0.01
BASELINE_RATE = 0.01
CANARY_SHARE = 0.05
RATES = (0.01, 0.015, 0.02, 0.05, 1.0)
PER_SECOND = 2_000
"""Outcomes of the whole fleet: a million users who do something every eight minutes."""
_MINUTES = 30


def found(runs: int, seed: int = 11) -> Table:
    """What a gate finds of a canary of 5 % while 1 % of the baseline's outcomes are failures."""
    table = Table(
        f"{PER_SECOND:,} outcomes a second, 5 % of them the candidate's, false alarms at most {FALSE_ALARM:.0%}",
        (
            "candidate's failures (%)",
            "runs",
            f"accused within {_MINUTES} min (%)",
            "median seconds until then",
            "failures that users met until then",
        ),
    )
    chance = random.Random(seed)  # noqa: S311 - a simulation that comes out the same each time
    for rate in RATES:
        times = sorted(each for each in (_seconds(rate, chance) for _ in range(runs)) if each is not None)
        median: float | str = times[len(times) // 2] if len(times) * 2 > runs else "-"
        met: float | str = median * PER_SECOND * CANARY_SHARE * rate if isinstance(median, (int, float)) else "-"
        table.add(100 * rate, runs, 100 * len(times) / runs, median, met)
    return table


def _seconds(rate: float, chance: random.Random) -> float | None:
    """After how many seconds the candidate is accused; None if it is not."""
    comparison = Comparison(0)
    threshold = math.log(1 / FALSE_ALARM)
    for number, block in enumerate(_blocks(rate, chance)):
        comparison = comparison.after([block], tolerance=0.0, margin=0.01)
        if comparison.worse.log_value >= threshold:
            return ((number + 1) * BUCKET_MS + PERIOD_MS) / 1_000
    return None


def _blocks(rate: float, chance: random.Random) -> Iterator[Block]:
    size = PER_SECOND * BUCKET_MS / 1_000
    for number in range(_MINUTES * 60_000 // BUCKET_MS):
        candidate = _tally(size * CANARY_SHARE, rate, chance)
        baseline = _tally(size * (1 - CANARY_SHARE), BASELINE_RATE, chance)
        yield Block((number + 2) * BUCKET_MS, number * BUCKET_MS, candidate, baseline)


def _tally(count: float, rate: float, chance: random.Random) -> Tally:
    failed = min(round(count), max(0, round(chance.gauss(count * rate, math.sqrt(count * rate * (1 - rate))))))
    return Tally(round(count) - failed, failed)

"""What agents whose clocks differ do around a step, without any message: how many users see both sides, and how long."""

import random
from statistics import NormalDist

from shared.domain.bucketing import WHOLE
from tests.bench.table import Table

SPREADS_MS = (1.0, 50.0, 1_000.0)
"""Standard deviations of clocks: on one machine, with NTP, without."""
STEP = (10_000, 25_000)
"""A step that moves 15 % of the users."""
_MOMENTS = 2_000


def around_a_step(agents: int, seed: int = 7) -> Table:
    """At the step's own moment, and as long as the slowest and the fastest clock are apart."""
    table = Table(
        f"{agents:,} agents take the step from {STEP[0] // 1_000} % to {STEP[1] // 1_000} % by their own clocks",
        (
            "clocks' deviation (ms)",
            "first agent (ms)",
            "last agent (ms)",
            "users that can see both sides (%)",
            "for a user of these: chance that two reads of two agents differ, at the worst moment (%)",
            "mean time for which they may (ms)",
        ),
    )
    chance = random.Random(seed)  # noqa: S311 - a simulation that comes out the same each time
    moving = 100 * (STEP[1] - STEP[0]) / WHOLE
    for spread in SPREADS_MS:
        steps = sorted(chance.gauss(0.0, spread) for _ in range(agents))
        differing = [2 * share * (1 - share) for share in _shares(steps)]
        # Mean over pairs of agents of how far apart they take the step; of a normal one, twice its deviation by the root of pi.
        apart = 2 * spread / NormalDist().variance ** 0.5 / 3.141592653589793**0.5
        table.add(spread, steps[0], steps[-1], moving, 100 * max(differing), apart)
    return table


def _shares(steps: list[float]) -> list[float]:
    """The share of agents that have taken the step, at moments between the first and the last."""
    first, last = steps[0], steps[-1]
    shares, index = [], 0
    for moment in range(_MOMENTS + 1):
        now = first + (last - first) * moment / _MOMENTS
        while index < len(steps) and steps[index] <= now:
            index += 1
        shares.append(index / len(steps))
    return shares

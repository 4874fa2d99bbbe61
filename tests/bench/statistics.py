"""How many units are exposed, and how far that is from what chance allows."""

import math
from collections.abc import Iterable, Sequence
from itertools import combinations, pairwise

from shared.domain.bucketing import WHOLE, trimtab
from tests.bench.table import Table

WEIGHTS = (10, 100, 1_000, 10_000, 25_000, 50_000, 100_000)
INDEPENDENCE_WEIGHT = 30_000
FLEETS = (5, 10, 20, 50, 100, 10_000)
CANARY_WEIGHT = 5_000


def buckets(salt: str, units: Iterable[str]) -> list[int]:
    """Where each unit falls."""
    bucket = trimtab(salt)
    return [bucket(unit) for unit in units]


def deviation(count: int, total: int, share: float) -> float:
    """How many standard deviations of a binomial a count is away from its mean; 0 where nothing can vary."""
    spread = math.sqrt(total * share * (1 - share))
    return 0.0 if spread == 0 else (count - total * share) / spread


def exposure(users: Sequence[str], salts: Sequence[str]) -> Table:
    """The share that each weight exposes, under several salts; and that raising it moves nobody out."""
    table = Table(
        "Exposure of users",
        ("weight", "expected", "mean", "lowest", "highest", "largest deviation (SD)", "moved out"),
    )
    fallen = [buckets(salt, users) for salt in salts]
    for before, weight in pairwise((0, *WEIGHTS)):
        counts = [sum(each < weight for each in of_salt) for of_salt in fallen]
        moved = sum(bucket < before and not bucket < weight for of_salt in fallen for bucket in of_salt)
        furthest = max(abs(deviation(count, len(users), weight / WHOLE)) for count in counts)
        mean = sum(counts) / len(counts)
        table.add(weight, len(users) * weight / WHOLE, mean, min(counts), max(counts), furthest, moved)
    return table


def independence(users: Sequence[str], salts: Sequence[str]) -> Table:
    """Whether who is exposed to one rollout says anything of who is exposed to another."""
    table = Table(
        "Two rollouts at 30 % each",
        ("pairs of rollouts", "expected in both", "mean", "lowest", "highest", "largest deviation (SD)"),
    )
    exposed = [
        {index for index, bucket in enumerate(buckets(salt, users)) if bucket < INDEPENDENCE_WEIGHT} for salt in salts
    ]
    share = (INDEPENDENCE_WEIGHT / WHOLE) ** 2
    counts = [len(one & other) for one, other in combinations(exposed, 2)]
    furthest = max(abs(deviation(count, len(users), share)) for count in counts)
    table.add(len(counts), len(users) * share, sum(counts) / len(counts), min(counts), max(counts), furthest)
    return table


def canaries(rollouts: int) -> Table:
    """How many instances a canary of 5 % really has, by the size of the fleet; of small fleets often none."""
    table = Table(
        f"Instances exposed by a weight of {CANARY_WEIGHT:,}, over {rollouts:,} rollouts",
        ("agents", "expected", "mean", "lowest", "highest", "none at all (%)", "none, by (1 - w)^n (%)"),
    )
    share = CANARY_WEIGHT / WHOLE
    for agents in FLEETS:
        tries = rollouts if agents < WHOLE // 10 else rollouts // 10
        instances = [f"shop-7c9f-{number:05d}" for number in range(agents)]
        counts = [
            sum(bucket < CANARY_WEIGHT for bucket in buckets(f"canary-{number}", instances)) for number in range(tries)
        ]
        none = 100 * sum(count == 0 for count in counts) / tries
        table.add(
            agents, agents * share, sum(counts) / tries, min(counts), max(counts), none, 100 * (1 - share) ** agents
        )
    return table

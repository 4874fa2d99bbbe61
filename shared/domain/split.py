"""Splits: shares of the buckets in the order of a list, each `[start, end)`, together all of them.

Weights are whole numbers that sum to exactly 100,000, so nothing is rounded when a unit is placed. Who has other shares
rounds them once, by `weights_of`, when the document is written.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import lcm
from typing import Any

from shared.domain.bucketing import BUCKETINGS, DEFAULT, WHOLE
from shared.domain.document import Faults, child, is_whole

MAX_ARMS = 256
"""Arms of one split."""
MAX_SALT = 256
"""Characters of a salt."""
MAX_ATTRIBUTE = 128
"""Characters of an attribute's name."""
TARGETING_KEY = "targetingKey"
"""The unit of who names none: the one who asks."""


@dataclass(frozen=True, slots=True)
class Split:
    """What each bucket is served: `variants[i]` up to `ends[i]`, which it does not include."""

    variants: tuple[str, ...]
    ends: tuple[int, ...]
    unit: str
    salt: str
    bucketing: str

    @property
    def weights(self) -> tuple[int, ...]:
        """The weights as they were written."""
        return tuple(end - start for start, end in zip((0, *self.ends), self.ends, strict=False))


def weights_of(shares: Sequence[float]) -> list[int]:
    """Whole weights that sum to 100,000 in the proportion of some shares: the largest remainders are rounded up.

    Of equal remainders the earlier one is: three equal shares are 33,334, 33,333 and 33,333.

    Raises:
        ValueError: a share is negative, or all are zero.
    """
    ratios = [each.as_integer_ratio() for each in shares]
    scale = lcm(*(denominator for _, denominator in ratios))
    whole = [numerator * (scale // denominator) for numerator, denominator in ratios]
    total = sum(whole)
    if total <= 0 or min(whole) < 0:
        msg = "shares are not negative, and not all zero"
        raise ValueError(msg)
    weights = [each * WHOLE // total for each in whole]
    by_remainder = sorted(range(len(whole)), key=lambda index: -(whole[index] * WHOLE % total))
    for index in by_remainder[: WHOLE - sum(weights)]:
        weights[index] += 1
    return weights


def read_split(rule: Mapping[str, Any], pointer: str, variants: Collection[str], salt: str, faults: Faults) -> Split:
    """The split of a rule of a flag, whose members `unit`, `salt` and `bucketing` say how it is bucketed."""
    arms: list[tuple[str, int]] = []
    for index, each in enumerate(faults.items(rule["split"], child(pointer, "split"), MAX_ARMS)):
        at = f"{pointer}/split/{index}"
        arm = faults.members(each, at, ("variant", "weight"))
        variant = faults.choice(arm.get("variant"), child(at, "variant"), variants)
        arms.append((variant, faults.number(arm.get("weight"), child(at, "weight"), WHOLE)))
    if arms and (total := sum(weight for _, weight in arms)) != WHOLE:
        faults.add(
            child(pointer, "split"), f"the weights sum to {total:,}, they must to {WHOLE:,}{_hint(rule['split'])}"
        )
    return Split(
        variants=tuple(variant for variant, _ in arms),
        ends=tuple(accumulate(weight for _, weight in arms)),
        unit=faults.text(rule.get("unit", TARGETING_KEY), child(pointer, "unit"), MAX_ATTRIBUTE),
        salt=faults.text(rule.get("salt", salt), child(pointer, "salt"), MAX_SALT, empty=True),
        bucketing=faults.choice(rule.get("bucketing", DEFAULT), child(pointer, "bucketing"), BUCKETINGS),
    )


def _hint(arms: list[Any]) -> str:
    given = [each.get("weight") for each in arms if isinstance(each, dict)]
    weights = [each for each in given if is_whole(each) and each >= 0]
    if len(weights) < len(given) or not any(weights):
        return ""
    return f": in these proportions {', '.join(map(str, weights_of(weights)))}"

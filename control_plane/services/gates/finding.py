"""What one judge found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from control_plane.domain.gates.measurement import Result
from shared.domain.codec import Json

MAX_NAMED = 20
"""Instances that a finding names; it gives their number as well."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A result, why (in the same words as long as it is the same), and the numbers behind it."""

    result: Result
    detail: str
    numbers: Mapping[str, Json] = field(default_factory=dict)

    @classmethod
    def passed(cls, detail: str, **numbers: Json) -> Self:
        """It is as it should be."""
        return cls(Result.PASS, detail, numbers)

    @classmethod
    def failed(cls, detail: str, **numbers: Json) -> Self:
        """It is not."""
        return cls(Result.FAIL, detail, numbers)

    @classmethod
    def unclear(cls, detail: str, **numbers: Json) -> Self:
        """Nobody can tell yet."""
        return cls(Result.INCONCLUSIVE, detail, numbers)

"""What a gate showed at a moment, and the bounded history of it that a rollout keeps."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from shared.domain.codec import Json

MAX_KEPT = 100
"""Measurements that differ, of one gate of one step. The oldest go first."""
MAX_DETAIL = 500


class Result(StrEnum):
    """What one measurement says."""

    PASS = "pass"  # noqa: S105 - a result, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Measurement:
    """What the gate with this index showed at `at_ms`, and why, in words that are the same as long as the reason is.

    Measurements in a row with the same result and detail are one, of `count` since `since_ms`; `numbers` are the latest.
    """

    gate: int
    at_ms: int
    result: Result
    detail: str
    numbers: Mapping[str, Json] = field(default_factory=dict, hash=False)
    count: int = 1
    since_ms: int = -1

    def __post_init__(self) -> None:
        if self.since_ms < 0:
            object.__setattr__(self, "since_ms", self.at_ms)
        if len(self.detail) > MAX_DETAIL:
            object.__setattr__(self, "detail", self.detail[: MAX_DETAIL - 1] + "…")

    def document(self) -> dict[str, Json]:
        """The measurement as it is stored and shown."""
        return {
            "gate": self.gate,
            "at": self.at_ms,
            "result": str(self.result),
            "detail": self.detail,
            "numbers": dict(self.numbers),
            "count": self.count,
            "since": self.since_ms,
        }

    @classmethod
    def from_document(cls, document: Json) -> Self:
        """Read what `document` wrote."""
        return cls(
            document["gate"],
            document["at"],
            Result(document["result"]),
            document["detail"],
            document["numbers"],
            document["count"],
            document["since"],
        )


def recorded(kept: Sequence[Measurement], new: Measurement) -> tuple[Measurement, ...]:
    """The history of a step's gates with one measurement more. In the order in which each was begun."""
    of_gate = [each for each in kept if each.gate == new.gate]
    last = of_gate[-1] if of_gate else None
    if last is not None and (last.result, last.detail) == (new.result, new.detail):
        folded = replace(new, count=last.count + new.count, since_ms=last.since_ms)
        return tuple(folded if each is last else each for each in kept)
    dropped = _dropped(of_gate) if len(of_gate) >= MAX_KEPT else None
    return (*(each for each in kept if each is not dropped), new)


def latest(kept: Sequence[Measurement], gate: int) -> Measurement | None:
    """The last measurement of a gate."""
    return next((each for each in reversed(kept) if each.gate == gate), None)


def _dropped(of_gate: Sequence[Measurement]) -> Measurement:
    """The oldest, but not the last pass: a timeout is counted from there."""
    passes = [each for each in of_gate if each.result is Result.PASS]
    oldest, second = of_gate[0], of_gate[1]
    return second if passes and passes[-1] is oldest else oldest


def remembered(documents: Iterable[Json]) -> tuple[Measurement, ...]:
    """The history of a step's gates from stored measurements in the order in which they were stored.

    The same run of equal measurements may be stored many times, longer each time: the last one counts.
    """
    runs: dict[tuple[int, int, Result, str], Measurement] = {}
    for each in map(Measurement.from_document, documents):
        runs[each.gate, each.since_ms, each.result, each.detail] = each
    return tuple(runs.values())

"""The plan of a rollout: steps with their weights over time, and the gates between them.

Agents go through the weights of one step by their clocks. From one step to the next only the control plane leads, once
the gates of the step pass. All moments are unix milliseconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

from control_plane.domain.gates.parsing import parse_gates
from control_plane.domain.gates.spec import Bake, Gate
from control_plane.domain.staging import Staged
from shared.domain.bucketing import WHOLE
from shared.domain.codec import Json


@dataclass(frozen=True, slots=True)
class Point:
    """A weight, and when it holds: so long after the point before it, or at a moment."""

    weight: int
    after_ms: int = 0
    at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """Weights that follow each other by the clock, then gates.

    `labels`: only agents that have all labels of one of these are exposed; none: whoever the weight reaches.
    """

    points: tuple[Point, ...]
    gates: tuple[Gate, ...] = ()
    labels: tuple[Mapping[str, str], ...] = field(default=(), hash=False)

    @property
    def weight(self) -> int:
        """The weight that it leads to."""
        return self.points[-1].weight

    def document(self) -> dict[str, Json]:
        """The step as it is stored."""
        return {
            "points": [[each.weight, each.after_ms, each.at_ms] for each in self.points],
            "gates": [each.document() for each in self.gates],
            "labels": [dict(each) for each in self.labels],
        }

    @classmethod
    def from_document(cls, document: Json) -> Self:
        """Read what `document` wrote."""
        points = tuple(Point(*each) for each in document["points"])
        return cls(points, parse_gates(document["gates"], "", []), tuple(document["labels"]))


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps. `completes`: after the last one the candidate becomes the value by itself; else somebody promotes it."""

    steps: tuple[Step, ...]
    completes: bool

    def document(self) -> dict[str, Json]:
        """The plan as it is stored."""
        return {"steps": [each.document() for each in self.steps], "completes": self.completes}

    @classmethod
    def from_document(cls, document: Json) -> Self:
        """Read what `document` wrote."""
        return cls(tuple(map(Step.from_document, document["steps"])), document["completes"])

    def staged(self, strategy: str) -> Staged:
        """What it has of what policies can ask for. What is only tried out (`dry_run`) does not count."""
        gates = [gate for step in self.steps for gate in step.gates if not gate.terms.dry_run]
        bake = sum(gate.seconds for gate in gates if isinstance(gate, Bake))
        return Staged(
            strategy, frozenset(gate.TYPE for gate in gates), timedelta(seconds=bake), first_weight(self.steps)
        )


def first_weight(steps: Sequence[Step]) -> int:
    """What is exposed before the first gate; of steps that go by labels, nothing by weight."""
    exposed = 0
    for step in steps:
        exposed = max(exposed, 0 if step.labels else step.weight)
        if any(not gate.terms.dry_run for gate in step.gates):
            return exposed
    return WHOLE

"""What a change would do, all of it: what previews tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from control_plane.domain.change import Committed
from control_plane.domain.effects import Effects
from control_plane.domain.gate import Obstacle
from control_plane.domain.guards import Hit
from control_plane.domain.links import Dependant
from control_plane.domain.policy import Requirements
from control_plane.domain.secrecy import Warning as Suspicion
from control_plane.domain.unfit import Unfit

MAX_NAMES = 100
"""Names of one kind in a blast radius."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Some(Generic[T]):
    """The first ones of a number of things."""

    total: int
    items: tuple[T, ...]

    @property
    def truncated(self) -> bool:
        """Whether there are more than these."""
        return len(self.items) < self.total


def some(items: Sequence[T], most: int = MAX_NAMES) -> Some[T]:
    """The first ones of these."""
    return Some(len(items), tuple(items[:most]))


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """Who would see the change: those whose effective configs differ after it.

    `agents` are [app, environment, instance]; None where nobody knows now which agents live.
    """

    applications: Some[str]
    environments: Some[tuple[str, str]]
    agents: Some[tuple[str, str, str]] | None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a draft would do. `would_commit`: it could be committed now as it is.

    That is: no schema stands against it, no guard (or it is forced), and there are no `obstacles`. `dependants` are
    what refers to what it touches.
    """

    committed: Committed
    effects: Effects
    dependants: Some[Dependant]
    unfit: Some[Unfit]
    hits: Some[Hit]
    warnings: tuple[Suspicion, ...]
    requirements: Requirements
    obstacles: tuple[Obstacle, ...]
    blast_radius: BlastRadius
    forced: bool
    would_commit: bool

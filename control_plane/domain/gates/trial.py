"""What is on trial at a step's gates: as much of a rollout as its judges need to know."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from control_plane.domain.access.role import Role
from control_plane.domain.gates.measurement import Measurement
from shared.domain.scope import Scope
from shared.wire.report import Report


def anybody(_report: Report) -> bool:
    """Every agent that sees the config."""
    return True


@dataclass(frozen=True, slots=True)
class Trial:
    """A step of a rollout.

    `revision` is that of the change by which the step began, `since_ms` the moment. `authors` are all who wrote a part
    of it; `approvals` what others said to this step, as principal and role. `aims_at` tells the agents whose instances
    the step means, where it means instances. `measurements` are those of this step, oldest first.
    """

    rollout: UUID
    scope: Scope
    key: str
    step: int
    revision: int
    since_ms: int
    authors: frozenset[str] = frozenset()
    approvals: tuple[tuple[str, Role], ...] = ()
    aims_at: Callable[[Report], bool] = anybody
    measurements: tuple[Measurement, ...] = ()

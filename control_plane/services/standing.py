"""How things stand with a stored change, and who may do what with it: what `Proposals` decides by."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from control_plane.domain.access.permission import Permission
from control_plane.domain.access.role import PERMISSIONS, Role
from control_plane.domain.attribution import Attribution
from control_plane.domain.change import Forced, Operation
from control_plane.domain.errors import ConflictError, ForbiddenError, VersionMismatchError
from control_plane.domain.gate import require_open
from control_plane.domain.lifecycle import OPEN, Action, State
from control_plane.domain.policy import Requirements
from control_plane.domain.proposal import Proposal

RECORDED: Mapping[Action, str] = {
    Action.EDIT: "change.edited",
    Action.SUBMIT: "change.submitted",
    Action.APPROVE: "change.approved",
    Action.REJECT: "change.rejected",
    Action.WITHDRAW: "change.withdrawn",
    Action.SCHEDULE: "change.scheduled",
    Action.EXPIRE: "change.expired",
    Action.FAIL: "change.failed",
}
"""What the audit calls it."""


@dataclass(frozen=True, slots=True)
class Revision:
    """What an edit gives a change; None stays as it is. `unscheduled`: it is to have no time any more."""

    operations: tuple[Operation, ...] | None = None
    message: str | None = None
    labels: Mapping[str, str] | None = None
    base_revision: int | None = None
    forced: Forced | None = None
    scheduled_at: datetime | None = None
    unscheduled: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """A stored change beside what the policies ask of it. `approvals` are those that count."""

    proposal: Proposal
    required: Requirements
    approvals: tuple[str, ...]

    @property
    def ready(self) -> bool:
        """Whether approvals do not stand between it and its commit."""
        return self.proposal.state in OPEN - {State.DRAFT} and len(self.approvals) >= self.required.approvals


def edited(found: Proposal, revision: Revision) -> Proposal:
    """The change as an edit leaves it."""
    timed = found.scheduled_at if revision.scheduled_at is None else revision.scheduled_at
    return replace(
        found,
        operations=found.operations if revision.operations is None else revision.operations,
        message=found.message if revision.message is None else revision.message,
        labels=found.labels if revision.labels is None else revision.labels,
        base_revision=found.base_revision if revision.base_revision is None else revision.base_revision,
        forced=found.forced if revision.forced is None else revision.forced,
        scheduled_at=None if revision.unscheduled else timed,
        approvals=(),
    )


def enough(count: int, required: Requirements, role: str) -> bool:
    """Whether a change waits for nobody: who may not commit by himself always needs somebody else."""
    alone = bool(role) and Permission.CONFIGS_WRITE in PERMISSIONS[Role(role)]
    return count >= (required.approvals if alone else max(1, required.approvals))


def require_open_then(required: Requirements, at: datetime | None) -> None:
    """Make sure that the windows are open at the time of a change that has one."""
    if at is not None:
        require_open(required, at)


def require_approver(found: Proposal, required: Requirements, by: Attribution) -> None:
    """Make sure that this principal may say yes or no to the change.

    Raises:
        ForbiddenError: it wrote a part of it, or its role is none that may.
    """
    if by.principal in found.writers:
        msg = "Nobody approves or rejects a change they wrote a part of: withdraw it, or let somebody else decide."
        raise ForbiddenError(Permission.CHANGES_APPROVE, msg)
    if by.role not in required.approver_roles:
        names = ", ".join(each.name for each in required.policies if each.approver_roles is not None)
        able = ", ".join(sorted(required.approver_roles)) or "none"
        msg = f"The role {by.role} may not approve this change; the policies {names} let these: {able}."
        raise ForbiddenError(Permission.CHANGES_APPROVE, msg)


def require_edition(found: Proposal, edition: int | None) -> None:
    """Make sure that the change is as it was read.

    Raises:
        VersionMismatchError: it was edited since.
    """
    if edition is not None and edition != found.edition:
        raise VersionMismatchError(edition, found.edition)


def too_busy() -> ConflictError:
    """The error of whoever decided again and again, and was overtaken each time."""
    msg = "The change or the rules that it is checked against keep changing: try again."
    return ConflictError(msg)

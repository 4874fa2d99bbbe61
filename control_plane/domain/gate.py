"""What stands between a draft and its commit: the policies' words, held against what the draft has."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from control_plane.domain.change import Draft
from control_plane.domain.errors import (
    ApprovalRequiredError,
    ForbiddenError,
    InvalidError,
    StagingRequiredError,
    WindowClosedError,
)
from control_plane.domain.policy import Policy, Requirements
from control_plane.domain.staging import shortfalls
from shared.wire.problem import Violation

_PERMISSION = "policy.allowed-roles"


class Standing(StrEnum):
    """What stands between a draft and its commit: something of a policy, or a rollout that it would write over."""

    ROLE = "role"
    REASON = "reason"
    STAGING = "staging"
    APPROVALS = "approvals"
    WINDOW = "window"
    ROLLOUT = "rollout"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something that keeps a draft from being committed now, other than its own contents."""

    kind: Standing
    detail: str


def admit(draft: Draft, required: Requirements, now: datetime) -> Draft:
    """The draft if the policies let it be committed now. One that breaks the glass names those that would refuse it.

    A rehearsal is held against who may do it and why, not against what it can still get.

    Raises:
        ForbiddenError, InvalidError: as from `require_permitted`.
        StagingRequiredError: it does not go as the policies want it to.
        ApprovalRequiredError, WindowClosedError: as from `require_ready`.
    """
    require_permitted(draft, required)
    at = max(now, draft.scheduled_at or now)  # the clock of the database, which is the one for schedules, may be ahead
    if draft.break_glass is not None:
        return replace(draft, break_glass=replace(draft.break_glass, policies=broken_past(draft, required, at)))
    require_staged(draft, required)
    if not draft.dry_run:
        require_ready(draft, required, at)
    return draft


def obstacles(draft: Draft, required: Requirements, now: datetime) -> Iterator[Obstacle]:
    """All that keeps a draft from being committed now; past some of it, one can break the glass."""
    try:
        require_permitted(draft, required)
    except ForbiddenError as error:
        yield Obstacle(Standing.ROLE, str(error))
    except InvalidError as error:
        yield Obstacle(Standing.REASON, error.violations[0].detail)
    if draft.break_glass is not None:
        return
    try:
        require_staged(draft, required)
    except StagingRequiredError as error:
        yield Obstacle(Standing.STAGING, str(error))
    try:
        require_approved(draft, required)
    except ApprovalRequiredError as error:
        yield Obstacle(Standing.APPROVALS, str(error))
    try:
        require_open(required, max(now, draft.scheduled_at or now))
    except WindowClosedError as error:
        yield Obstacle(Standing.WINDOW, str(error))


def require_permitted(draft: Draft, required: Requirements) -> None:
    """Make sure that the policies let this role make such a change, and that it says why where it must.

    Raises:
        ForbiddenError: the role is none that the policies allow.
        InvalidError: there is no message.
    """
    role = draft.acting_role or draft.by.role
    if required.allowed_roles is not None and role not in required.allowed_roles:
        naming = [each for each in required.policies if each.allowed_roles is not None]
        able = ", ".join(sorted(required.allowed_roles)) or "none"
        detail = f"The role {role} may not make such a change; {_names(naming)} allow: {able}."
        raise ForbiddenError(_PERMISSION, detail)
    if required.require_reason and not draft.message.strip():
        naming = [each for each in required.policies if each.require_reason]
        raise InvalidError([Violation("/message", f"say why: {_names(naming)} want a reason")])


def require_staged(draft: Draft, required: Requirements) -> None:
    """Make sure that a change goes as a rollout with all that the policies want of one.

    Raises:
        StagingRequiredError: it does not.
    """
    if required.staging is None:
        return
    if lacking := list(shortfalls(required.staging, draft.staged)):
        asked, naming = required.staging, required.asking_for_staging()
        detail = f"By {_names(naming)}, this change is made only if {' and '.join(lacking)}."
        raise StagingRequiredError(
            detail,
            policies=[each.name for each in naming],
            required_gates=list(asked.gates),
            required_bake=asked.bake.total_seconds(),
            first_weight=asked.first_weight,
            strategies=asked.strategies and list(asked.strategies),
        )


def require_ready(draft: Draft, required: Requirements, at: datetime) -> None:
    """Make sure that a draft has its approvals, and that the policies' windows are open.

    Raises:
        ApprovalRequiredError: approvals are missing.
        WindowClosedError: a policy has windows and none of them is open.
    """
    require_approved(draft, required)
    require_open(required, at)


def require_approved(draft: Draft, required: Requirements) -> None:
    """Make sure that a draft has its approvals.

    Raises:
        ApprovalRequiredError: approvals are missing.
    """
    given = count_approvals(draft, required)
    if given < required.approvals:
        naming = required.asking_for_approval()
        detail = f"It needs {required.approvals} approval{'' if required.approvals == 1 else 's'} and has {given}, by {_names(naming)}."
        raise ApprovalRequiredError(
            detail,
            policies=[each.name for each in naming],
            required_approvals=required.approvals,
            approvals=given,
            approver_roles=sorted(required.approver_roles),
        )


def require_open(required: Requirements, at: datetime) -> None:
    """Make sure that the policies' windows are open at a moment.

    Raises:
        WindowClosedError: a policy has windows and none of them is.
    """
    if closed := required.closed(at):
        opening = required.next_opening(at)
        when = f"all are open next at {opening.isoformat()}" if opening else "they are never open together"
        detail = f"At {at.isoformat()} no window is open of {_names(closed)}; {when}."
        names, at_next = [each.name for each in closed], opening and opening.isoformat()
        raise WindowClosedError(detail, policies=names, next_opening=at_next)


def broken_past(draft: Draft, required: Requirements, at: datetime) -> tuple[str, ...]:
    """The policies that would refuse this draft now."""
    missing = count_approvals(draft, required) < required.approvals
    asking = required.asking_for_approval() if missing else []
    if required.staging is not None and any(shortfalls(required.staging, draft.staged)):
        asking = [*required.asking_for_staging(), *asking]
    return tuple(dict.fromkeys(each.name for each in (*asking, *required.closed(at))))


def count_approvals(draft: Draft, required: Requirements) -> int:
    """The approvals of a draft that count."""
    return len({who for who, role in draft.approvals if role in required.approver_roles})


def _names(policies: list[Policy]) -> str:
    return ("the policy " if len(policies) == 1 else "the policies ") + ", ".join(each.name for each in policies)

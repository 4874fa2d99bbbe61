"""The life of a stored change: what is done with it, by whom, and how it stands."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field

from control_plane.api.bodies.contents import contents
from control_plane.api.bodies.fields import Body, Moment, Text
from control_plane.api.bodies.intent import Breaking
from control_plane.api.bodies.pages import PageQuery
from control_plane.domain.access.role import Role
from control_plane.domain.change import Op, Operation
from control_plane.domain.lifecycle import legal_actions
from control_plane.domain.proposal import Approval, Proposal, Review
from control_plane.services.standing import Standing
from shared.domain.scope import Level


class Step(Body):
    """Something that is done with a stored change."""

    edition: Annotated[int | None, Field(ge=1, le=2**31 - 1)] = None
    """The edition that was read. Refused if it is another by now; left out, the one that stands when the request comes is meant."""


class Decision(Step):
    """What an approver or an author has to say."""

    comment: Text = ""
    """Why."""


class Scheduling(Step):
    """When a change is to be committed."""

    scheduled_at: Moment
    """A moment in the future."""


class CommitNow(Step):
    """A stored change is to be committed."""

    break_glass: Breaking | None = None
    """Do it although approvals are missing or no window is open. Opens a review."""


class Closing(Body):
    """What came of a review."""

    comment: Text = ""
    """What was found."""


class ReviewQuery(PageQuery):
    """Which reviews."""

    state: Literal["open", "closed"] | None = None
    """Those that wait for somebody, or those that are closed; left out, all."""


@dataclass(frozen=True, slots=True)
class ApprovalView:
    """What an approver said of an edition. Only what was said of the current one counts."""

    edition: int
    principal: str
    role: Role
    approved: bool
    comment: str
    at: datetime

    @classmethod
    def of(cls, approval: Approval) -> Self:
        """Show what an approver said."""
        return cls(
            approval.edition, approval.principal, approval.role, approval.approved, approval.comment, approval.at
        )


@dataclass(frozen=True, slots=True)
class PlannedView:
    """An operation that is not carried out yet. What it puts stands under `value`, `flag` or `segment`.

    All three are null for a secret (`sensitive`), and where nothing is put; then `kind` is null, too.
    """

    op: Op
    app_id: str | None
    environment: str | None
    scope: Level
    key: str
    kind: str | None
    value: Any
    flag: Any
    segment: Any
    sensitive: bool
    expected_version: int | None
    description: str | None
    owner: str | None
    labels: Mapping[str, str] | None

    @classmethod
    def of(cls, operation: Operation, *, secret: bool) -> Self:
        """Show an operation."""
        return cls(
            op=operation.op,
            app_id=operation.scope.app_id,
            environment=operation.scope.environment,
            scope=operation.scope.level,
            key=operation.key,
            kind=operation.kind if operation.op is Op.PUT else None,
            **contents(operation.kind, operation.value, sensitive=secret),
            sensitive=secret,
            expected_version=operation.expected_version,
            description=operation.description,
            owner=operation.owner,
            labels=operation.labels,
        )


@dataclass(frozen=True, slots=True)
class LifeView:
    """How a change came to be, and how it stands with the policies that are in force now.

    `edition` counts its edits; approvals are of one edition. `counted` are those approvals that count. `ready`: there
    are as many as the policies want. `operations` are empty once it is committed: its versions hold them.
    """

    edition: int
    created_at: datetime
    updated_at: datetime
    scheduled_at: datetime | None
    expires_at: datetime | None
    base_revision: int | None
    writers: tuple[str, ...]
    approvals: tuple[ApprovalView, ...]
    counted: tuple[str, ...]
    required_approvals: int
    approver_roles: tuple[Role, ...]
    policies: tuple[str, ...]
    ready: bool
    legal_actions: tuple[str, ...]
    failure: Mapping[str, Any] | None
    break_glass: str | None
    operations: tuple[PlannedView, ...]

    @classmethod
    def of(cls, standing: Standing) -> Self:
        """Show how a change stands."""
        proposal, required = standing.proposal, standing.required
        return cls(
            edition=proposal.edition,
            created_at=proposal.created_at,
            updated_at=proposal.updated_at,
            scheduled_at=proposal.scheduled_at,
            expires_at=proposal.expires_at,
            base_revision=proposal.base_revision,
            writers=proposal.writers,
            approvals=tuple(map(ApprovalView.of, proposal.approvals)),
            counted=standing.approvals,
            required_approvals=required.approvals,
            approver_roles=tuple(sorted(required.approver_roles)),
            policies=tuple(each.name for each in required.policies),
            ready=standing.ready,
            legal_actions=tuple(legal_actions(proposal.state)),
            failure=proposal.failure,
            break_glass=proposal.break_glass,
            operations=tuple(_planned(proposal)),
        )


@dataclass(frozen=True, slots=True)
class ReviewView:
    """A commit past its policies (`policies`: those that would have refused it), and who looked at it since."""

    id: UUID
    change_id: UUID
    revision: int
    reason: str
    policies: tuple[str, ...]
    state: Literal["open", "closed"]
    opened_by: str
    opened_at: datetime
    closed_by: str | None
    closed_at: datetime | None
    comment: str

    @classmethod
    def of(cls, review: Review) -> Self:
        """Show a review."""
        return cls(
            id=review.id,
            change_id=review.change_id,
            revision=review.revision,
            reason=review.reason,
            policies=review.policies,
            state="open" if review.closed_at is None else "closed",
            opened_by=review.opened_by,
            opened_at=review.opened_at,
            closed_by=review.closed_by,
            closed_at=review.closed_at,
            comment=review.comment,
        )


def _planned(proposal: Proposal) -> Iterator[PlannedView]:
    for index, operation in enumerate(proposal.operations):
        yield PlannedView.of(operation, secret=index in proposal.secrets)

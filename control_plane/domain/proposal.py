"""A change that is stored before it is committed: who wrote it, who approved it, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from control_plane.domain.access.role import Role
from control_plane.domain.attribution import Attribution, Source
from control_plane.domain.change import Draft, Forced, Operation
from control_plane.domain.lifecycle import State
from control_plane.domain.policy import Requirements
from shared.domain.codec import Json
from shared.domain.scope import Scope

LONGEST_AHEAD = timedelta(days=366)
"""How far in the future a change can be scheduled."""
PATIENCE = timedelta(days=30)
"""How long a submitted change waits for its approvals where no policy says otherwise."""


@dataclass(frozen=True, slots=True)
class Approval:
    """What an approver said of one edition."""

    edition: int
    principal: str
    role: Role
    approved: bool
    comment: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Proposed:
    """A change that was stored just now; `replayed`: by an earlier request with the same Idempotency-Key."""

    id: UUID
    state: State
    scheduled_at: datetime | None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """A stored change. Lists leave out the values of its operations; once it is committed, the versions hold them.

    `edition` counts its edits, `moves` everything that happened to it. `writers` are all who wrote a part of it.
    `secrets` are the indexes of operations whose values nobody is shown. `failure` says why it failed or expired.
    """

    id: UUID
    state: State
    edition: int
    moves: int
    author: str
    author_role: str
    source: Source
    message: str
    labels: Mapping[str, str]
    operations: tuple[Operation, ...]
    secrets: frozenset[int]
    writers: tuple[str, ...]
    approvals: tuple[Approval, ...]
    created_at: datetime
    updated_at: datetime
    stored: bool = True
    base_revision: int | None = None
    reverts: int | None = None
    forced: Forced | None = None
    scheduled_at: datetime | None = None
    expires_at: datetime | None = None
    failure: Mapping[str, Json] | None = None
    break_glass: str | None = None
    revision: int | None = None
    committed_at: datetime | None = None
    committed_by: str | None = None

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """The scopes that it touches, each once, in the order of the operations."""
        return tuple(dict.fromkeys(each.scope for each in self.operations))

    def approved_by(self, required: Requirements) -> list[str]:
        """Who approved this edition and counts: nobody who wrote a part of it, and in a role that may."""
        return [
            each.principal
            for each in self.approvals
            if each.edition == self.edition
            and each.approved
            and each.principal not in self.writers
            and each.role in required.approver_roles
        ]

    def draft(self, by: Attribution) -> Draft:
        """The change on its way into the commit, which somebody else may ask for than who wrote it."""
        return Draft(
            operations=self.operations,
            by=by,
            message=self.message,
            base_revision=self.base_revision,
            id=self.id,
            edition=self.edition,
            author=self.author,
            labels=self.labels,
            reverts=self.reverts,
            forced=self.forced,
            whole=True,  # its operations were counted when it was made
            acting_role=by.role or self.author_role,
            approvals=tuple(
                (each.principal, each.role)
                for each in self.approvals
                if each.edition == self.edition and each.approved and each.principal not in self.writers
            ),
        )


@dataclass(frozen=True, slots=True)
class Move:
    """What is to become of a stored change, if it is still as it was read. All that it says takes the place of what was.

    `operations` None: they stay. `writer`: who wrote a part of this edition. `rules_revision`: of the rules by which
    this was decided. `approval`: what an approver says with it.
    """

    id: UUID
    moves: int
    state_read: State
    state: State
    edition: int
    by: Attribution
    action: str
    message: str
    labels: Mapping[str, str]
    base_revision: int | None
    scheduled_at: datetime | None
    expires_at: datetime | None
    operations: tuple[Operation, ...] | None = None
    forced: Forced | None = None
    writer: str | None = None
    failure: Mapping[str, Json] | None = None
    rules_revision: int | None = None
    approved: bool | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """Of a commit past its policies: open until a second person closes it."""

    id: UUID
    change_id: UUID
    revision: int
    reason: str
    policies: tuple[str, ...]
    opened_by: str
    opened_at: datetime
    closed_by: str | None
    closed_at: datetime | None
    comment: str


@dataclass(frozen=True, slots=True)
class ProposalFilter:
    """Which stored changes; every given field narrows."""

    state: State | None = None
    author: str | None = None
    labels: Mapping[str, str | None] = field(default_factory=dict)
    app_id: str | None = None

"""Changes: several operations that become visible at once, and the record of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, Self, TypeAlias
from uuid import UUID

from pydantic import Field

from control_plane.api.bodies.contents import NewContents
from control_plane.api.bodies.fields import Body, Key, Labels, Moment, Name, Owner, Placed, Revision, Text
from control_plane.api.bodies.intent import Force, Intent
from control_plane.api.bodies.life import LifeView
from control_plane.api.bodies.pages import LabelFilters, PageQuery, Param
from control_plane.api.bodies.preview import PreviewView
from control_plane.api.bodies.scopes import ScopeView
from control_plane.domain.attribution import Source
from control_plane.domain.change import Applied, ChangeRecord, Committed, Draft, Op, Operation
from control_plane.domain.history import LeftOut, Reason
from control_plane.domain.lifecycle import State
from control_plane.domain.proposal import Proposal, Proposed
from shared.domain.scope import Level

MAX_VERSION = 2**31 - 1


class _KeyOperation(Placed):
    """An operation on the entry of one key in one scope."""

    key: Key
    """Which config."""
    expected_version: Annotated[int | None, Field(ge=0, le=MAX_VERSION)] = None
    """The version that was read; 0: there is none yet. Refused if it is another by now."""


class PutOperation(_KeyOperation, NewContents):
    """Give the key a value in this scope, or make it a flag or a segment here."""

    op: Literal["put"]
    sensitive: bool | None = None
    """Whether the value is a secret; null keeps what the entry says."""
    description: Text | None = None
    """For people; null keeps what the entry says."""
    owner: Owner | None = None
    """Who answers for it; null keeps what the entry says."""
    labels: Labels | None = None
    """Labels of the config; null keeps what the entry has."""

    def operation(self) -> Operation:
        """The operation as the domain knows it."""
        return Operation(
            Op.PUT,
            self.scope,
            self.key,
            self.content,
            self.sensitive,
            self.description,
            self.expected_version,
            self.owner,
            self.labels,
            kind=self.kind,
        )


class _BareOperation(_KeyOperation):
    """An operation that needs no value."""

    op: str

    def operation(self) -> Operation:
        """The operation as the domain knows it."""
        return Operation(Op(self.op), self.scope, self.key, expected_version=self.expected_version)


class DeleteOperation(_BareOperation):
    """Take the entry away; what a less specific scope says for the key shows again."""

    op: Literal["delete"]


class MaskOperation(_BareOperation):
    """Hide the key in this scope, whatever less specific scopes say. A config of kind `mask` stands here then."""

    op: Literal["mask"]


class UnmaskOperation(_BareOperation):
    """Take a mask away; what a less specific scope says for the key shows again."""

    op: Literal["unmask"]


AnyOperation: TypeAlias = Annotated[
    PutOperation | DeleteOperation | MaskOperation | UnmaskOperation, Field(discriminator="op")
]


class NewChange(Intent):
    """A change: all of its operations, or none."""

    operations: Annotated[list[AnyOperation], Field(min_length=1)]
    """Each about another key or scope."""
    base_revision: Revision | None = None
    """The revision that the change is based on. Refused if one of its keys moved since."""


class ChangeEdit(Body):
    """An edit of a stored change. What is left out stays as it is."""

    edition: Annotated[int | None, Field(ge=1, le=MAX_VERSION)] = None
    """The edition that was read, if there is no If-Match."""
    operations: Annotated[list[AnyOperation] | None, Field(min_length=1)] = None
    """All of them anew."""
    message: Text | None = None
    """Why, for the record of changes."""
    labels: Labels | None = None
    """What the change belongs to; they take the place of those that it has."""
    base_revision: Revision | None = None
    """The revision that the change is based on."""
    scheduled_at: Moment | None = None
    """When to commit it; null: at no time by itself."""
    force: Force | None = None
    """Let the change pass although guards refuse it."""


class ChangeQuery(PageQuery):
    """Which changes; every parameter narrows."""

    app_id: Name | None = None
    """Those that touch this application."""
    state: State = State.COMMITTED
    """Those in this state; committed ones, if nothing else is said."""
    author: Param | None = None
    """Those of this author."""
    label: LabelFilters = ()
    """Those with this label, `ticket:OPS-7` or `ticket` with any value; may be repeated."""


@dataclass(frozen=True, slots=True)
class AppliedView:
    """What one operation did: the config's id and its version since then, null until the change is committed."""

    op: Op
    id: UUID | None
    app_id: str | None
    environment: str | None
    scope: Level
    key: str
    version: int | None

    @classmethod
    def of(cls, applied: Applied) -> Self:
        """Show an operation's result."""
        scope = applied.scope
        return cls(applied.op, applied.id, scope.app_id, scope.environment, scope.level, applied.key, applied.version)

    @classmethod
    def to_come(cls, operation: Operation) -> Self:
        """Show an operation that is not carried out yet."""
        scope = operation.scope
        return cls(operation.op, None, scope.app_id, scope.environment, scope.level, operation.key, None)


@dataclass(frozen=True, slots=True)
class LeftOutView:
    """A key of which a computed change does nothing: it is as it should be (`equal`), or somebody changed it since."""

    app_id: str | None
    environment: str | None
    scope: Level
    key: str
    reason: Reason

    @classmethod
    def of(cls, left_out: LeftOut) -> Self:
        """Show what was left out."""
        scope = left_out.scope
        return cls(scope.app_id, scope.environment, scope.level, left_out.key, left_out.reason)


@dataclass(frozen=True, slots=True)
class ChangeReceipt:
    """A committed change, or one that is stored until it is; with `dry_run` what it would have been."""

    id: UUID
    revision: int | None
    committed_at: datetime | None
    dry_run: bool
    state: State
    scheduled_at: datetime | None
    operations: tuple[AppliedView, ...]
    left_out: tuple[LeftOutView, ...]
    preview: PreviewView | None

    @classmethod
    def of(cls, committed: Committed, left_out: Sequence[LeftOut] = (), preview: PreviewView | None = None) -> Self:
        """Show a commit's result."""
        return cls(
            id=committed.id,
            revision=committed.revision,
            committed_at=committed.committed_at,
            dry_run=committed.dry_run,
            state=State.COMMITTED,
            scheduled_at=None,
            operations=tuple(map(AppliedView.of, committed.applied)),
            left_out=tuple(map(LeftOutView.of, left_out)),
            preview=preview,
        )

    @classmethod
    def stored(cls, proposed: Proposed, draft: Draft, left_out: Sequence[LeftOut] = ()) -> Self:
        """Show a change that waits."""
        return cls(
            id=proposed.id,
            revision=None,
            committed_at=None,
            dry_run=False,
            state=proposed.state,
            scheduled_at=proposed.scheduled_at,
            operations=tuple(map(AppliedView.to_come, draft.operations)),
            preview=None,
            left_out=tuple(map(LeftOutView.of, left_out)),
        )


@dataclass(frozen=True, slots=True)
class ForcedView:
    """Why guards were overridden, and which."""

    reason: str
    guards: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangeView:
    """A change. `reverts` is the revision that it undoes; `forced`: it passed guards by force.

    `revision`, `committed_by` and `committed_at` are null until it is committed. `life` is how it came to that, or to
    another end; null in lists, and for what was committed at once.
    """

    id: UUID
    revision: int | None
    state: State
    author: str
    committed_by: str | None
    message: str
    source: Source
    committed_at: datetime | None
    scopes: tuple[ScopeView, ...]
    operations: tuple[AppliedView, ...]
    labels: Mapping[str, str]
    reverts: int | None
    forced: ForcedView | None
    life: LifeView | None = None

    @classmethod
    def of(cls, record: ChangeRecord, life: LifeView | None = None) -> Self:
        """Show a committed change."""
        return cls(
            id=record.id,
            revision=record.revision,
            state=State.COMMITTED,
            author=record.author,
            committed_by=record.committed_by,
            message=record.message,
            source=record.source,
            committed_at=record.committed_at,
            scopes=tuple(map(ScopeView.of, record.scopes)),
            operations=tuple(map(AppliedView.of, record.applied)),
            labels=record.labels,
            reverts=record.reverts,
            forced=None if record.forced is None else ForcedView(record.forced.reason, record.forced.guards),
            life=life,
        )

    @classmethod
    def stored(cls, proposal: Proposal, life: LifeView | None = None) -> Self:
        """Show a change that is stored."""
        return cls(
            id=proposal.id,
            revision=proposal.revision,
            state=proposal.state,
            author=proposal.author,
            committed_by=proposal.committed_by,
            message=proposal.message,
            source=proposal.source,
            committed_at=proposal.committed_at,
            scopes=tuple(map(ScopeView.of, proposal.scopes)),
            operations=tuple(map(AppliedView.to_come, proposal.operations)),
            labels=proposal.labels,
            reverts=proposal.reverts,
            forced=None if proposal.forced is None else ForcedView(proposal.forced.reason, proposal.forced.guards),
            life=life,
        )

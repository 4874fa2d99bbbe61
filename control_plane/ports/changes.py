"""The one write path, the record of it, and changes that are not committed yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from control_plane.domain.attribution import Attribution
from control_plane.domain.change import ChangeRecord, Committed, Draft
from control_plane.domain.lifecycle import State as ChangeState
from control_plane.domain.proposal import Move, Proposal, ProposalFilter, Proposed, Review
from control_plane.ports.pages import Page
from shared.domain.scope import Scope
from shared.wire.messages import ChangeMessage, ScopeState


@dataclass(frozen=True, slots=True)
class Heads:
    """What everything is at: the installation's revision and each touched scope's state, read in one instant."""

    revision: int
    scopes: dict[Scope, ScopeState]


class Changes(Protocol):
    """The one write path, and the record of it."""

    async def commit(self, draft: Draft) -> Committed:
        """Commit all operations of the draft as one change, or nothing.

        Raises:
            NotFoundError: an application or environment of a scope is not registered.
            ConflictError: an entry that must not be there is, or a key moved since `base_revision`.
            VersionMismatchError: `expected_version` of an operation is not the current one.
            KeyReusedError: the idempotency key belongs to another request.
            InvalidError: an operation has nothing to act on (delete or unmask of what is not there).
            UnavailableError: the database is away.
        """
        ...

    async def heads(self) -> Heads:
        """What everything is at now."""
        ...

    async def revision(self) -> int:
        """The installation's committed revision."""
        ...

    async def messages_after(self, revision: int, limit: int) -> list[ChangeMessage]:
        """The messages of the committed changes after `revision`, in revision order, of at most `limit` changes."""
        ...

    async def list_changes(
        self,
        *,
        app_id: str | None,
        limit: int,
        cursor: str | None,
        author: str | None = None,
        labels: Mapping[str, str | None] | None = None,
    ) -> Page[ChangeRecord]:
        """Committed changes, newest first; of one application's scopes, of an author, with labels (None: any value)."""
        ...

    async def get_change(self, revision: int) -> ChangeRecord:
        """One committed change.

        Raises:
            NotFoundError: no change has this revision.
        """
        ...


class Proposals(Protocol):
    """Changes that are stored before they are committed. What happens to one is attributed and audited."""

    async def known(self, draft: Draft) -> Proposed | None:
        """What an earlier request with this draft's Idempotency-Key stored.

        Raises:
            KeyReusedError: the key belongs to another request.
        """
        ...

    async def propose(self, draft: Draft, state: ChangeState, expires_at: datetime | None) -> Proposed:
        """Store a draft.

        Raises:
            KeyReusedError: the Idempotency-Key belongs to another request.
            RulesMovedError: it was checked against other rules than those in force.
        """
        ...

    async def get(self, change_id: UUID, *, secrets: bool = False) -> Proposal:
        """One change by its id, a committed one too; with its secrets only on its way into the commit.

        Raises:
            NotFoundError: there is none.
        """
        ...

    async def list(self, where: ProposalFilter, *, limit: int, cursor: str | None) -> Page[Proposal]:
        """Stored changes, newest first, without the values that they hold."""
        ...

    async def move(self, move: Move) -> None:
        """Let something happen to a stored change.

        Raises:
            StaleProposalError: something else happened to it since it was read.
            RulesMovedError: the rules by which this was decided are no longer in force.
        """
        ...

    async def due(self, limit: int) -> Sequence[Proposal]:
        """Scheduled changes whose time has come, in the order of their times, with their secrets."""
        ...

    async def overdue(self, limit: int) -> Sequence[Proposal]:
        """Changes that waited too long for their approvals."""
        ...

    async def until_due(self) -> float | None:
        """Seconds until something is due or overdue next; None while nothing is going to be."""
        ...

    async def reviews(self, *, is_open: bool | None, limit: int, cursor: str | None) -> Page[Review]:
        """Reviews of commits past their policies, newest first; open or closed ones only, where that is given."""
        ...

    async def close_review(self, review_id: UUID, comment: str, by: Attribution) -> Review:
        """Close a review.

        Raises:
            NotFoundError: there is none.
            ConflictError: it is closed already.
            ForbiddenError: it is about what this principal did.
        """
        ...

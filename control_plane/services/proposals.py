"""Changes on their way to a commit: made, edited, approved, scheduled, committed by people.

Whatever is decided is decided on what was read, and carried out only if that still holds: neither the change nor the
rules moved meanwhile. Else it is decided again.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from control_plane.domain.access.permission import Permission
from control_plane.domain.access.role import Role
from control_plane.domain.attribution import Attribution
from control_plane.domain.change import Aim, BreakGlass, Committed, Draft
from control_plane.domain.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    RulesMovedError,
    StaleProposalError,
)
from control_plane.domain.gate import require_permitted
from control_plane.domain.lifecycle import OPEN, Action, State, after, illegal
from control_plane.domain.limits import Limits
from control_plane.domain.policy import Requirements
from control_plane.domain.proposal import LONGEST_AHEAD, PATIENCE, Move, Proposal, ProposalFilter, Proposed, Review
from control_plane.ports.changes import Proposals as Store
from control_plane.ports.pages import Page
from control_plane.services.due import Due
from control_plane.services.publishing import Publishing
from control_plane.services.rules import Rules
from control_plane.services.standing import (
    RECORDED,
    Revision,
    Standing,
    edited,
    enough,
    require_approver,
    require_edition,
    require_open_then,
    too_busy,
)
from shared.runtime.clock import Clock
from shared.wire.problem import Violation

_ATTEMPTS = 10


class Proposals:
    """Stores changes and lets things happen to them."""

    def __init__(self, store: Store, publishing: Publishing, rules: Rules, limits: Limits, clock: Clock) -> None:
        self._store, self._publishing, self._rules = store, publishing, rules
        self._limits, self._clock = limits, clock

    async def propose(self, draft: Draft) -> Proposed:
        """Store a draft; one that is submitted is checked as if it were committed now.

        Raises:
            TrimtabError: as from `Publishing.commit`, but for approvals and windows.
            WindowClosedError: no window is open at its time.
        """
        if (known := await self._store.known(draft)) is not None:
            return known
        self._publishing.require_form(draft)
        self._require_future(draft.scheduled_at)
        if draft.aim is Aim.SUBMIT:
            await self._publishing.commit(replace(draft, dry_run=True, idempotency_key=None))
        for _ in range(_ATTEMPTS):
            ruling = await self._rules.fresh()
            required = ruling.required(each.scope for each in draft.operations)
            state, expires_at = State.DRAFT, None
            if draft.aim is Aim.SUBMIT:
                require_open_then(required, draft.scheduled_at)
                approved = enough(0, required, draft.by.role)
                state = after(State.DRAFT, Action.SUBMIT, approved=approved, timed=draft.scheduled_at is not None)
                expires_at = self._end(required)
            try:
                return await self._store.propose(replace(draft, rules_revision=ruling.revision), state, expires_at)
            except RulesMovedError:
                continue
        raise too_busy()

    async def get(self, change_id: UUID) -> Standing:
        """A change by its id, and how it stands."""
        proposal = await self._store.get(change_id)
        required = (await self._rules.fresh()).required(proposal.scopes)
        return Standing(proposal, required, tuple(proposal.approved_by(required)))

    def due(self, by: Attribution) -> Due:
        """What happens to them by themselves."""
        return Due(self._store, self._publishing, by)

    async def list(self, where: ProposalFilter, *, limit: int, cursor: str | None) -> Page[Proposal]:
        """Stored changes, newest first."""
        return await self._store.list(where, limit=limit, cursor=cursor)

    async def reviews(self, *, is_open: bool | None, limit: int, cursor: str | None) -> Page[Review]:
        """Reviews of commits past their policies, newest first."""
        return await self._store.reviews(is_open=is_open, limit=limit, cursor=cursor)

    async def close_review(self, review_id: UUID, comment: str, by: Attribution) -> Review:
        """Close a review of what somebody else did."""
        return await self._store.close_review(review_id, comment, by)

    async def rehearsable(self, change_id: UUID, by: Attribution) -> Draft:
        """A change that waits, for those who want to see what it would do now.

        Raises:
            ConflictError: it does not wait any more.
        """
        found = await self._store.get(change_id, secrets=True)
        if found.state not in OPEN:
            raise illegal(found.state, Action.COMMIT)
        return replace(found.draft(by), edition=None, dry_run=True)

    async def edit(self, change_id: UUID, edition: int | None, revision: Revision, by: Attribution) -> Standing:
        """Give a change other words or operations: a new edition, which nobody has approved yet.

        Raises:
            StaleProposalError: the edition is not the current one.
        """
        self._require_future(revision.scheduled_at)

        def decide(found: Proposal, required: Requirements) -> Move:
            revised = edited(found, revision)
            timed = revised.scheduled_at is not None
            state = after(found.state, Action.EDIT, approved=enough(0, required, by.role), timed=timed)
            if state is not State.DRAFT:
                require_permitted(revised.draft(by), required)
                require_open_then(required, revised.scheduled_at)
            move = self._move(revised, state, by, Action.EDIT, required)
            return replace(move, operations=revision.operations, edition=found.edition + 1, writer=by.principal)

        found = await self._store.get(change_id, secrets=True)
        after(found.state, Action.EDIT, approved=False, timed=False)
        require_edition(found, edition)
        revised = edited(found, revision)
        self._publishing.require_form(revised.draft(by))
        if found.state in OPEN - {State.DRAFT}:
            await self._rehearse(revised, by)
        return await self._decide(change_id, edition, decide, scopes_of=revised)

    async def submit(self, change_id: UUID, by: Attribution, edition: int | None = None) -> Standing:
        """Let a draft wait for its approvals, or for its time."""

        def decide(found: Proposal, required: Requirements) -> Move:
            timed = found.scheduled_at is not None
            state = after(found.state, Action.SUBMIT, approved=enough(0, required, by.role), timed=timed)
            self._require_future(found.scheduled_at)
            require_open_then(required, found.scheduled_at)
            return self._move(found, state, by, Action.SUBMIT, required)

        found = await self._store.get(change_id, secrets=True)
        if found.state is State.DRAFT:
            await self._rehearse(found, by)
        return await self._decide(change_id, edition, decide)

    async def approve(
        self, change_id: UUID, by: Attribution, edition: int | None = None, comment: str = ""
    ) -> Standing:
        """Say yes to an edition. Once there are enough, a change with a time is scheduled.

        Raises:
            ForbiddenError: this principal wrote a part of it, or its role is none that may approve it.
        """

        def decide(found: Proposal, required: Requirements) -> Move:
            after(found.state, Action.APPROVE, approved=False, timed=False)
            require_approver(found, required, by)
            count = len({*found.approved_by(required), by.principal})
            approved = count >= required.approvals
            state = after(found.state, Action.APPROVE, approved=approved, timed=found.scheduled_at is not None)
            return replace(self._move(found, state, by, Action.APPROVE, required), approved=True, comment=comment)

        return await self._decide(change_id, edition, decide)

    async def reject(self, change_id: UUID, by: Attribution, edition: int | None = None, comment: str = "") -> Standing:
        """Say no, which ends it.

        Raises:
            ForbiddenError: this principal's role is none that may approve it, or it wrote a part of it.
        """

        def decide(found: Proposal, required: Requirements) -> Move:
            state = after(found.state, Action.REJECT, approved=False, timed=False)
            require_approver(found, required, by)
            return replace(self._move(found, state, by, Action.REJECT, required), approved=False, comment=comment)

        return await self._decide(change_id, edition, decide)

    async def withdraw(
        self, change_id: UUID, by: Attribution, edition: int | None = None, comment: str = ""
    ) -> Standing:
        """Take a change back.

        Raises:
            ForbiddenError: it is somebody else's.
        """

        def decide(found: Proposal, required: Requirements) -> Move:
            state = after(found.state, Action.WITHDRAW, approved=False, timed=False)
            if by.principal not in found.writers and by.role not in {Role.ADMIN, Role.OPERATOR}:
                msg = f"Only who wrote a change withdraws it: {', '.join(found.writers)}."
                raise ForbiddenError(Permission.CHANGES_PROPOSE, msg)
            return replace(self._move(found, state, by, Action.WITHDRAW, required), comment=comment)

        return await self._decide(change_id, edition, decide)

    async def schedule(self, change_id: UUID, at: datetime, by: Attribution, edition: int | None = None) -> Standing:
        """Give a submitted change the time at which it is to be committed.

        Raises:
            WindowClosedError: no window is open then.
        """
        self._require_future(at)

        def decide(found: Proposal, required: Requirements) -> Move:
            timed = replace(found, scheduled_at=at)
            approved = enough(len(found.approved_by(required)), required, by.role)
            state = after(found.state, Action.SCHEDULE, approved=approved, timed=True)
            require_open_then(required, at)
            return self._move(timed, state, by, Action.SCHEDULE, required)

        return await self._decide(change_id, edition, decide)

    async def commit(
        self,
        change_id: UUID,
        by: Attribution,
        edition: int | None = None,
        break_glass: BreakGlass | None = None,
    ) -> Committed:
        """Commit a change now, whatever its time.

        Raises:
            ApprovalRequiredError, WindowClosedError: the policies do not let it, and no glass is broken.
            TrimtabError: as from `Publishing.commit`.
        """
        found = await self._store.get(change_id, secrets=True)
        after(found.state, Action.COMMIT, approved=True, timed=False)
        require_edition(found, edition)
        try:
            return await self._publishing.commit(replace(found.draft(by), break_glass=break_glass))
        except ConflictError as error:
            now = await self._store.get(change_id)
            if now.state not in OPEN:
                raise illegal(now.state, Action.COMMIT) from error
            raise

    async def _decide(
        self,
        change_id: UUID,
        edition: int | None,
        decide: Callable[[Proposal, Requirements], Move],
        scopes_of: Proposal | None = None,
    ) -> Standing:
        for _ in range(_ATTEMPTS):
            ruling = await self._rules.fresh()
            found = await self._store.get(change_id)
            scopes = (scopes_of or found).scopes
            move = decide(found, ruling.required(scopes))
            require_edition(found, edition)
            try:
                await self._store.move(replace(move, rules_revision=ruling.revision))
            except (RulesMovedError, StaleProposalError):
                continue
            return await self.get(change_id)
        raise too_busy()

    def _move(self, found: Proposal, state: State, by: Attribution, action: Action, required: Requirements) -> Move:
        """What happens to a change that stays as it is, but for its state and its end."""
        expires_at = None if action in {Action.SUBMIT, Action.EDIT} else found.expires_at
        if state is not State.PENDING:
            expires_at = None
        elif expires_at is None:
            expires_at = self._end(required)
        return Move(
            id=found.id,
            moves=found.moves,
            state_read=found.state,
            state=state,
            edition=found.edition,
            by=by,
            action=RECORDED[action],
            message=found.message,
            labels=found.labels,
            base_revision=found.base_revision,
            scheduled_at=found.scheduled_at,
            expires_at=expires_at,
            forced=found.forced,
        )

    def _end(self, required: Requirements) -> datetime:
        """When a change that is submitted now has waited too long."""
        return self._clock.now() + (required.expires_after or PATIENCE)

    async def _rehearse(self, proposal: Proposal, by: Attribution) -> None:
        await self._publishing.commit(replace(proposal.draft(by), edition=None, dry_run=True))

    def _require_future(self, at: datetime | None) -> None:
        if at is None:
            return
        now = self._clock.now()
        if not now < at <= now + LONGEST_AHEAD:
            detail = f"a change is scheduled for a time in the future, at most {LONGEST_AHEAD.days} days away"
            raise InvalidError([Violation("/scheduled_at", detail)])

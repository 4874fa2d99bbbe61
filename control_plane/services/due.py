"""What happens to stored changes by themselves: they are committed at their time, or fail, or expire.

Whatever they were checked against when they were scheduled, they are checked again: values, versions, approvals,
policies, windows. The commit carries out a change once, whoever else tries; what is decided on an old reading of a
change is dropped.
"""

import logging
from dataclasses import replace

import anyio

from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import (
    ConflictError,
    InvalidError,
    RulesMovedError,
    StaleProposalError,
    TrimtabError,
    UnavailableError,
)
from control_plane.domain.lifecycle import Action, State, after
from control_plane.domain.proposal import Move, Proposal
from control_plane.ports.changes import Proposals as Store
from control_plane.services.publishing import Publishing
from control_plane.services.standing import RECORDED
from shared.domain.codec import Json

_log = logging.getLogger(__name__)

BATCH = 50
_INTERNAL = "Something failed here; the server's log has the cause."


class Due:
    """Carries out what is due, as the program itself (`by`); a change stays its author's."""

    def __init__(self, store: Store, publishing: Publishing, by: Attribution) -> None:
        self._store, self._publishing, self._by = store, publishing, by

    async def carry_out(self) -> float | None:
        """Do all that is due now; returns in how many seconds the next one is, None while there is none.

        Raises:
            UnavailableError: the database is away.
        """
        until = await self._store.until_due()
        if until is None or until > 0:
            return until
        due = await self._store.due(BATCH)
        async with anyio.create_task_group() as group:
            for each in due:  # started in their order, in which they also come to the commit
                group.start_soon(self._commit, each)
        for late in await self._store.overdue(BATCH):
            detail = "Nobody approved it in time."
            await self._end(late, Action.EXPIRE, {"detail": detail})
        return await self._store.until_due()

    async def _commit(self, proposal: Proposal) -> None:
        draft = replace(proposal.draft(self._by), scheduled_at=proposal.scheduled_at)
        try:
            await self._publishing.commit(draft)
        except (UnavailableError, RulesMovedError) as error:
            _log.warning("a scheduled change waits", extra={"change": str(proposal.id), "error": str(error)})
        except TrimtabError as error:
            await self._end(proposal, Action.FAIL, failure_of(error))
        except Exception:  # noqa: BLE001 - a bug that one change meets must not keep all others waiting
            _log.exception("a scheduled change failed", extra={"change": str(proposal.id)})
            await self._end(proposal, Action.FAIL, {"detail": _INTERNAL})

    async def _end(self, proposal: Proposal, action: Action, failure: dict[str, Json]) -> None:
        move = Move(
            id=proposal.id,
            moves=proposal.moves,
            state_read=proposal.state,
            state=after(proposal.state, action, approved=False, timed=False),
            edition=proposal.edition,
            by=self._by,
            action=RECORDED[action],
            message=proposal.message,
            labels=proposal.labels,
            base_revision=proposal.base_revision,
            scheduled_at=proposal.scheduled_at,
            expires_at=proposal.expires_at,
            forced=proposal.forced,
            failure=failure,
        )
        try:
            await self._store.move(move)
        except (StaleProposalError, UnavailableError):
            return
        _log.info("a stored change ended", extra={"change": str(proposal.id), "state": str(State(move.state))})


def failure_of(error: TrimtabError) -> dict[str, Json]:
    """What a change says of why it could not be committed: what its problem would have said."""
    failure: dict[str, Json] = {"detail": str(error)}
    if isinstance(error, ConflictError):
        failure |= dict(error.facts)
    if isinstance(error, InvalidError):
        failure["violations"] = [{"pointer": each.pointer, "detail": each.detail} for each in error.violations]
    return failure

"""Changes that are stored before they are committed (port `Proposals`)."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from control_plane.domain.attribution import Attribution
from control_plane.domain.change import Draft, Operation
from control_plane.domain.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    KeyReusedError,
    NotFoundError,
    RulesMovedError,
    StaleProposalError,
)
from control_plane.domain.lifecycle import State
from control_plane.domain.proposal import Move, Proposal, ProposalFilter, Proposed, Review
from control_plane.ports.pages import Page
from control_plane.postgres.cursors import read_cursor, write_cursor
from control_plane.postgres.drafts import draft_document, operation_documents, write_draft
from control_plane.postgres.errors import refusal
from control_plane.postgres.pool import fetch, fetch_row
from control_plane.postgres.proposal_rows import move_document, operations_of, proposal, review
from control_plane.postgres.queries import sql
from control_plane.postgres.rows import attributed
from control_plane.postgres.sealing.seals import NOTHING, Sealing, Seals
from shared.domain.codec import Json, decode, encode
from shared.wire.problem import Violation

_KNOWN = sql("known_request")
_PROPOSE = sql("propose")
_MOVE = sql("move_proposal")
_GET = sql("get_proposal")
_LIST = sql("list_proposals")
_UNSEALED = sql("unsealed")
_DUE = sql("due_proposals")
_OVERDUE = sql("overdue_proposals")
_UNTIL_DUE = sql("until_due")
_REVIEWS = sql("list_reviews")
_REVIEW = sql("get_review")
_CLOSE_REVIEW = sql("close_review")
_NEWEST = ["9999-12-31T00:00:00+00:00", "ffffffff-ffff-ffff-ffff-ffffffffffff"]
_KIND = "change"


class PostgresProposals:
    """Keeps them in the table of changes, where the commit finds them."""

    def __init__(self, pool: asyncpg.Pool, seals: Seals) -> None:
        self._pool, self._seals = pool, seals

    async def known(self, draft: Draft) -> Proposed | None:
        """What an earlier request with this draft's Idempotency-Key stored."""
        if draft.idempotency_key is None:
            return None
        row = await fetch_row(self._pool, _KNOWN, draft.by.principal, draft.idempotency_key)
        if row is None:
            return None
        if row["request_hash"] != (await self._seals.known_again(draft)).request_hash.hex():
            msg = f"Idempotency-Key {draft.idempotency_key!r} was used for another request."
            raise KeyReusedError(msg)
        return _proposed(decode(row["result"]) | {"replayed": True})

    async def propose(self, draft: Draft, state: State, expires_at: datetime | None) -> Proposed:
        """Store a draft."""
        write_draft(draft)  # refuses what cannot be stored
        draft = await self._seals.known_again(draft)
        document = draft_document(draft, await self._sealing(draft.id, draft.operations)) | {
            "stored_state": state,
            "action": "change.drafted" if state is State.DRAFT else "change.submitted",
            "scheduled_at": draft.scheduled_at,
            "expires_at": expires_at,
        }
        rows = await fetch(self._pool, _PROPOSE, encode(document).decode())
        result = decode(rows[0][0])
        if (refused := result.get("state")) is not None:
            raise refusal(refused, result["detail"])
        return _proposed(result)

    async def get(self, change_id: UUID, *, secrets: bool = False) -> Proposal:
        """One change by its id."""
        row = await fetch_row(self._pool, _GET, change_id, secrets)
        if row is None:
            raise NotFoundError(_KIND, str(change_id))
        return (await self._opened([row]))[0]

    async def list(self, where: ProposalFilter, *, limit: int, cursor: str | None) -> Page[Proposal]:
        """Stored changes, newest first."""
        labels = encode({name: value for name, value in where.labels.items() if value is not None}).decode()
        arguments = (where.state, where.author, labels, where.app_id, list(where.labels))
        rows = await fetch(self._pool, _LIST, *_position(cursor), limit + 1, *arguments)
        return Page(tuple(await self._opened(rows[:limit])), _next(rows, limit, "created_at"))

    async def move(self, move: Move) -> None:
        """Let something happen to a stored change."""
        sealing = NOTHING if move.operations is None else await self._sealing(move.id, move.operations)
        rows = await fetch(self._pool, _MOVE, encode(move_document(move, sealing)).decode())
        outcome = rows[0][0]
        if outcome in {"stale", "unsealed"}:
            msg = "Something else happened to the change meanwhile."
            raise StaleProposalError(msg)
        if outcome == "rules":
            msg = "Policies or schemas were changed meanwhile."
            raise RulesMovedError(msg)

    async def due(self, limit: int) -> Sequence[Proposal]:
        """Scheduled changes whose time has come."""
        return await self._opened(await fetch(self._pool, _DUE, limit))

    async def overdue(self, limit: int) -> Sequence[Proposal]:
        """Changes that waited too long for their approvals."""
        return await self._opened(await fetch(self._pool, _OVERDUE, limit))

    async def _sealing(self, change_id: UUID, operations: Sequence[Operation]) -> Sealing:
        """Those of a stored change's operations whose values nobody may see."""
        covered = operation_documents(operations, await self._seals.covered(operations))
        positions = decode((await fetch(self._pool, _UNSEALED, encode(covered).decode()))[0][0] or "[]")
        return await self._seals.for_change(change_id, operations, [each["position"] for each in positions])

    async def _opened(self, rows: Sequence[asyncpg.Record]) -> Sequence[Proposal]:
        opening = await self._seals.opening_of(each.get("value") for row in rows for each in operations_of(row))
        return [proposal(row, opening) for row in rows]

    async def until_due(self) -> float | None:
        """Seconds until something is due or overdue next."""
        rows = await fetch(self._pool, _UNTIL_DUE)
        return None if rows[0][0] is None else float(rows[0][0])

    async def reviews(self, *, is_open: bool | None, limit: int, cursor: str | None) -> Page[Review]:
        """Reviews of commits past their policies, newest first."""
        rows = await fetch(self._pool, _REVIEWS, *_position(cursor), limit + 1, is_open)
        return Page(tuple(map(review, rows[:limit])), _next(rows, limit, "opened_at"))

    async def close_review(self, review_id: UUID, comment: str, by: Attribution) -> Review:
        """Close a review."""
        closed = await fetch_row(self._pool, _CLOSE_REVIEW, review_id, attributed(by), comment)
        row = await fetch_row(self._pool, _REVIEW, review_id)
        if row is None:
            kind = "review"
            raise NotFoundError(kind, str(review_id))
        if closed is None and row["closed_by"] is not None:
            msg = "This review is closed already."
            raise ConflictError(msg, closed_by=row["closed_by"])
        if closed is None:
            permission = "changes.approve"
            raise ForbiddenError(permission, "A second person has to close the review of what you did.")
        return review(row)


def _proposed(result: Json) -> Proposed:
    at = result.get("scheduled_at")
    return Proposed(
        UUID(result["id"]),
        State(result["stored_state"]),
        None if at is None else datetime.fromisoformat(at),
        "replayed" in result,
    )


def _position(cursor: str | None) -> tuple[datetime, UUID]:
    moment, last = read_cursor(cursor, _NEWEST)
    try:
        return datetime.fromisoformat(moment), UUID(last)
    except ValueError as error:
        raise InvalidError([Violation("?cursor", "is not a cursor that this list gave out")]) from error


def _next(rows: Sequence[asyncpg.Record], limit: int, moment: str) -> str | None:
    if len(rows) <= limit:
        return None
    return write_cursor(rows[limit - 1][moment].isoformat(), str(rows[limit - 1]["id"]))

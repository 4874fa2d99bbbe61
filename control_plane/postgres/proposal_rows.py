"""Stored changes on their way into the database and out of it."""

from datetime import datetime
from uuid import UUID

import asyncpg

from control_plane.domain.access.role import Role
from control_plane.domain.attribution import Source
from control_plane.domain.change import Forced, Op, Operation
from control_plane.domain.lifecycle import State
from control_plane.domain.proposal import Approval, Move, Proposal, Review
from control_plane.postgres.drafts import forced_document, operation_documents
from control_plane.postgres.rows import attribution, scope
from control_plane.postgres.sealing.envelope import change_place
from control_plane.postgres.sealing.opening import Opening
from control_plane.postgres.sealing.seals import Sealing
from shared.domain.codec import Json, canonical, decode
from shared.domain.entry import Kind


def move_document(move: Move, sealing: Sealing) -> Json:
    """The argument of `trimtab_move`; `sealing` are those of its operations whose values are sealed."""
    return {
        "id": str(move.id),
        "moves": move.moves,
        "state_read": move.state_read,
        "state": move.state,
        "edition": move.edition,
        "who": attribution(move.by),
        "action": move.action,
        "message": move.message,
        "labels": dict(move.labels),
        "base_revision": move.base_revision,
        "scheduled_at": move.scheduled_at,
        "expires_at": move.expires_at,
        "operations": None if move.operations is None else operation_documents(move.operations, sealing),
        "forced": forced_document(move.forced),
        "writer": move.writer,
        "failure": None if move.failure is None else dict(move.failure),
        "rules_revision": move.rules_revision,
        "approved": move.approved,
        "comment": move.comment,
    }


def operations_of(row: asyncpg.Record) -> list[Json]:
    """The operations of a row of `trimtab_proposals`, as they are stored."""
    return list(decode(row["operations"])) if row["operations"] else []


def proposal(row: asyncpg.Record, opening: Opening) -> Proposal:
    """A row of `trimtab_proposals`.

    Raises:
        KeyLostError: a value of it does not open.
    """
    operations = operations_of(row)
    forced = row["forced"] and decode(row["forced"])
    return Proposal(
        id=UUID(int=row["id"].int),
        state=State(row["state"]),
        edition=row["edition"],
        moves=row["moves"],
        author=row["author"],
        author_role=row["author_role"],
        source=Source(row["source"]),
        message=row["message"],
        labels=decode(row["labels"]),
        operations=tuple(operation_at(row["id"], *each, opening) for each in enumerate(operations)),
        secrets=frozenset(index for index, each in enumerate(operations) if "secret" in each),
        writers=tuple(row["writers"]),
        approvals=tuple(map(_approval, decode(row["approvals"]))),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        stored=row["stored"],
        base_revision=row["base_revision"],
        reverts=row["reverts"],
        forced=Forced(forced["reason"], tuple(forced["guards"])) if forced else None,
        scheduled_at=row["scheduled_at"],
        expires_at=row["expires_at"],
        failure=row["failure"] and decode(row["failure"]),
        break_glass=row["break_glass"],
        revision=row["revision"],
        committed_at=row["committed_at"],
        committed_by=row["committed_by"],
    )


def review(row: asyncpg.Record) -> Review:
    """A row of `reviews`, with the revision of its change."""
    return Review(
        id=UUID(int=row["id"].int),
        change_id=UUID(int=row["change_id"].int),
        revision=row["revision"],
        reason=row["reason"],
        policies=tuple(row["policies"]),
        opened_by=row["opened_by"],
        opened_at=row["opened_at"],
        closed_by=row["closed_by"],
        closed_at=row["closed_at"],
        comment=row["comment"],
    )


def operation_at(change_id: UUID, position: int, document: Json, opening: Opening) -> Operation:
    """An operation of a stored change."""
    known = document["op"] == Op.PUT and "value" in document and "secret" not in document
    return Operation(
        op=Op(document["op"]),
        scope=scope(document["app_id"], document["environment"]),
        key=document["key"],
        value=_value(document, change_place(change_id, position, "value"), opening) if known else b"",
        sensitive=document["sensitive"],
        description=document["description"],
        expected_version=document["expected_version"],
        owner=document["owner"],
        labels=document["labels"],
        puts_back=document.get("puts_back", False),
        kind=Kind(document.get("kind", Kind.VALUE)),
    )


def _value(document: Json, place: bytes, opening: Opening) -> bytes:
    value = document["value"]
    return opening.opened(value, place) if "sealed" in document else canonical(value)


def _approval(document: Json) -> Approval:
    edition, principal, role, approved, comment, at = document
    return Approval(edition, principal, Role(role), approved, comment, datetime.fromisoformat(at))

"""A draft on its way into `trimtab_commit`, and what came back as the committed change."""

import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from control_plane.domain.change import Committed, Draft, Forced, Op, Operation
from control_plane.domain.errors import InvalidError
from control_plane.domain.guards import Mode
from control_plane.domain.transition import Transition
from control_plane.postgres.errors import guard_hit, refusal
from control_plane.postgres.rows import REMOVING, applied, attribution, entry, scope
from control_plane.postgres.sealing.seals import NOTHING, PLACING, Sealed, Sealing
from shared.domain.codec import Json, decode, encode, fragment
from shared.domain.entry import Kind, rollout_digest, value_digest
from shared.wire.messages import ChangeMessage, Delete, Put
from shared.wire.messages import Operation as MessageOperation
from shared.wire.problem import Violation

_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""A NUL character in JSON, told from a backslash that happens to stand before the letters."""


_TO_SEAL = "TT428"
_UNSTORABLE = "contains a NUL character, which cannot be stored"


@dataclass(frozen=True, slots=True)
class WrittenDraft:
    """A draft as the database reads it. Two drafts without a mark in common have nothing to do with each other."""

    document: bytes
    marks: frozenset[Hashable]
    operations: int


def write_draft(draft: Draft, sealing: Sealing = NOTHING) -> WrittenDraft:
    """Write a draft down; `sealing` are those of its operations whose values are sealed.

    Raises:
        InvalidError: there is a NUL character somewhere, which PostgreSQL cannot store, or a key stands there twice.
    """
    if violations := [*_nul_characters(draft), *_repetitions(draft)]:
        raise InvalidError(violations)
    # The same key in another scope counts too: what one sees there, and is checked against, is what the other writes.
    marks: set[Hashable] = {each.key for each in draft.operations}
    marks.update(draft.linked or ())  # so does what its references lead to
    marks.add(draft.id)
    if draft.idempotency_key is not None:
        marks.add((draft.by.principal, draft.idempotency_key))
    return WrittenDraft(encode(draft_document(draft, sealing)), frozenset(marks), len(draft.operations))


def waves(drafts: Sequence[WrittenDraft]) -> bytes:
    """The argument of `trimtab_commit`: the drafts in their order, a new wave wherever one meets a mark of its wave."""
    written: list[list[bytes]] = [[]]
    marks: set[Hashable] = set()
    for draft in drafts:
        if not marks.isdisjoint(draft.marks):
            written.append([])
            marks.clear()
        written[-1].append(draft.document)
        marks |= draft.marks
    return b"[%s]" % b",".join(b"[%s]" % b",".join(wave) for wave in written)


def draft_document(draft: Draft, sealing: Sealing = NOTHING) -> dict[str, Json]:
    """A draft as the database's functions read it."""
    return {
        "id": str(draft.id),
        "edition": draft.edition,
        "author": draft.written_by,
        "message": draft.message,
        "who": attribution(draft.by),
        "base_revision": draft.base_revision,
        "labels": dict(draft.labels),
        "reverts": draft.reverts,
        "forced": forced_document(draft.forced),
        "rules_revision": draft.rules_revision,
        "checked_revision": draft.checked_revision,
        "linked": None if draft.linked is None else list(draft.linked),
        "transition": draft.transition and transition_document(draft.transition),
        "idempotency_key": None if draft.dry_run else draft.idempotency_key,
        "request_hash": draft.request_hash.hex(),
        "operations": operation_documents(draft.operations, sealing),
    }


def forced_document(forced: Forced | None) -> Json:
    """Why guards were overridden, and which."""
    return forced and {"reason": forced.reason, "guards": list(forced.guards)}


def operation_documents(operations: Sequence[Operation], sealing: Sealing = NOTHING) -> list[Json]:
    """Operations as the database's functions read them."""
    if not sealing:
        return [_operation_document(each) for each in operations]
    return [
        _operation_document(each) | _sealed_members(sealing[position])
        if position in sealing
        else _operation_document(each)
        for position, each in enumerate(operations)
    ]


def _sealed_members(sealed: Sealed) -> dict[str, Json]:
    """What stands in the place of the members that tell the value."""
    return {
        "value": sealed.value,
        "value_digest": 0,
        **({} if sealed.rollout is None else {"rollout": sealed.rollout, "rollout_digest": 0}),
        **({} if sealed.mark is None else {"sealed": sealed.mark}),
    }


def _operation_document(operation: Operation) -> dict[str, Json]:
    """An operation whose value may be seen; `puts_back` is only for whom a stored change is read."""
    return {
        **({"puts_back": True} if operation.puts_back else {}),
        "op": operation.op,
        "app_id": operation.scope.app_id or "",
        "environment": operation.scope.environment or "",
        "key": operation.key,
        **(_more(operation) if operation.kind is not Kind.VALUE or operation.rollout or operation.refs else {}),
        "value": fragment(operation.value) if operation.value and operation.op in PLACING else None,
        "value_digest": value_digest(operation.value, sensitive=False),
        "sensitive": operation.sensitive,
        "description": operation.description,
        "owner": operation.owner,
        "labels": None if operation.labels is None else dict(operation.labels),
        "expected_version": operation.expected_version,
        "type_guard": _watching(operation.type_change),
        "reuse_guard": _watching(operation.key_reuse),
    }


def _more(operation: Operation) -> dict[str, Json]:
    """What only few operations have."""
    return {
        "kind": operation.kind,
        "rollout": fragment(operation.rollout) if operation.rollout else None,
        "rollout_digest": rollout_digest(operation.rollout, sensitive=False),
        "refs": list(operation.refs),
    }


def transition_document(transition: Transition) -> dict[str, Json]:
    """What becomes of a rollout, as the database's functions read it."""
    return {
        "id": str(transition.id),
        "expected": transition.expected,
        "app_id": transition.scope.app_id or "",
        "environment": transition.scope.environment or "",
        "key": transition.key,
        "strategy": transition.strategy,
        "phase": transition.phase,
        "step": transition.step,
        "finished": transition.finished,
        "action": transition.action,
        "detail": dict(transition.detail),
        "document": dict(transition.document),
    }


def _watching(mode: Mode) -> str | None:
    return None if mode is Mode.OFF else mode


def _nul_characters(draft: Draft) -> Iterator[Violation]:
    """Looked for here, because the server would log part of what it refuses: possibly a secret."""
    texts = {
        "/message": draft.message,
        "": "".join((draft.author, *map(str, attribution(draft.by).values()), draft.idempotency_key or "")),
        "/labels": "".join((*draft.labels, *draft.labels.values())),
        "/force/reason": draft.forced.reason if draft.forced else "",
        "/break_glass/reason": draft.break_glass.reason if draft.break_glass else "",
    }
    for pointer, text in texts.items():
        if "\0" in text:
            yield Violation(pointer, _UNSTORABLE)
    for index, operation in enumerate(draft.operations):
        yield from _nul_characters_of(f"/operations/{index}", operation)


def _nul_characters_of(pointer: str, operation: Operation) -> Iterator[Violation]:
    if "\0" in operation.key:
        yield Violation(f"{pointer}/key", "is not a key")
    if b"\\u0000" in operation.rollout and _NUL.search(operation.rollout):
        yield Violation(f"{pointer}/rollout", _UNSTORABLE)
    if b"\\u0000" in operation.value and _NUL.search(operation.value):
        yield Violation(f"{pointer}/value", _UNSTORABLE)
    labels = operation.labels or {}
    texts = {
        "description": operation.description or "",
        "owner": operation.owner or "",
        "labels": "".join((*labels, *labels.values())),
    }
    for name, text in texts.items():
        if "\0" in text:
            yield Violation(f"{pointer}/{name}", _UNSTORABLE)


def _repetitions(draft: Draft) -> Iterator[Violation]:
    if len({(each.scope, each.key) for each in draft.operations}) == len(draft.operations):
        return
    seen: set[Hashable] = set()
    for index, operation in enumerate(draft.operations):
        if (operation.scope, operation.key) in seen:
            yield Violation(f"/operations/{index}/key", "stands in an earlier operation already")
        seen.add((operation.scope, operation.key))


def places_to_seal(outcome: str) -> Sequence[Json]:
    """Where a draft's values have to be sealed before it can be carried out; empty if that is not why it was refused."""
    if _TO_SEAL not in outcome:
        return ()
    result = decode(outcome)
    return tuple(result["detail"]) if result.get("state") == _TO_SEAL else ()


def committed(draft: Draft, outcome: str) -> Committed:
    """What `trimtab_commit` returned for this draft.

    Raises:
        TrimtabError: the draft was refused.
    """
    result = decode(outcome)
    if (state := result.get("state")) is not None:
        raise refusal(state, result["detail"])
    replayed = "replayed" in result
    committed_at = datetime.fromisoformat(result["committed_at"])
    return Committed(
        id=UUID(result["id"]),
        revision=result["revision"],
        committed_at=committed_at,
        applied=applied(result["applied"]),
        messages=() if replayed else tuple(_messages(draft, result, committed_at)),
        dry_run=draft.dry_run,
        replayed=replayed,
        hits=tuple(map(guard_hit, result.get("hits", ()))),
    )


def _messages(draft: Draft, result: Json, committed_at: datetime) -> Iterator[ChangeMessage]:
    revision = result["revision"]
    states = sorted(result["scopes"])
    scopes = tuple(scope(app_id, environment) for app_id, environment, *_ in states)
    operations: dict[object, list[MessageOperation]] = {each: [] for each in scopes}
    for operation, (*_, version, sensitive) in zip(draft.operations, result["applied"], strict=True):
        operations[operation.scope].append(_message_operation(operation, revision, version, sensitive=sensitive))
    for where, (*_, previous, digest) in zip(scopes, states, strict=True):
        yield ChangeMessage(
            revision=revision,
            previous=previous,
            scope=where,
            scopes=scopes,
            committed_at=committed_at,
            digest=digest,
            operations=tuple(operations[where]),
        )


def _message_operation(operation: Operation, revision: int, version: int, *, sensitive: bool) -> MessageOperation:
    if operation.op in REMOVING:
        return Delete(operation.key, version)
    kind = Kind.MASK if operation.op is Op.MASK else operation.kind
    value, rollout = (b"", b"") if sensitive else (operation.value, operation.rollout)
    return Put(entry(operation.key, kind, value, version, revision, sensitive=sensitive, rollout=rollout))

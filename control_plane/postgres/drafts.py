"""A draft on its way into `trimtab_commit`, and what came back as the committed change."""

import re
from collections.abc import Iterator
from datetime import datetime

from control_plane.domain.change import Committed, Draft, Op, Operation
from control_plane.domain.errors import InvalidError
from control_plane.postgres.rows import REMOVING, applied, entry, scope
from shared.domain.entry import Kind, value_digest
from shared.wire.codec import Json, encode, fragment
from shared.wire.messages import ChangeMessage, Delete, Put
from shared.wire.messages import Operation as MessageOperation
from shared.wire.problem import Violation

_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""A NUL character in JSON, told from a backslash that happens to stand before the letters."""


def draft_document(draft: Draft) -> bytes:
    """The argument of `trimtab_commit`.

    Raises:
        InvalidError: there is a NUL character somewhere, which PostgreSQL cannot store.
    """
    if violations := list(_nul_characters(draft)):
        raise InvalidError(violations)
    return encode(
        {
            "author": draft.author,
            "message": draft.message,
            "source": draft.source,
            "address": draft.address,
            "request_id": draft.request_id,
            "base_revision": draft.base_revision,
            "idempotency_key": draft.idempotency_key,
            "request_hash": draft.request_hash.hex(),
            "dry_run": draft.dry_run,
            "operations": [_operation_document(each) for each in draft.operations],
        }
    )


def _operation_document(operation: Operation) -> Json:
    return {
        "op": operation.op,
        "app_id": operation.scope.app_id or "",
        "environment": operation.scope.environment or "",
        "key": operation.key,
        "value": fragment(operation.value) if operation.op is Op.PUT else None,
        "value_digest": value_digest(operation.value, sensitive=False),
        "sensitive": operation.sensitive,
        "description": operation.description,
        "expected_version": operation.expected_version,
    }


def _nul_characters(draft: Draft) -> Iterator[Violation]:
    """Looked for here, because the server would log part of what it refuses: possibly a secret."""
    detail = "contains a NUL character, which cannot be stored"
    if "\0" in draft.message:
        yield Violation("/message", detail)
    if "\0" in draft.author + draft.address + draft.request_id + (draft.idempotency_key or ""):
        yield Violation("", detail)
    for index, operation in enumerate(draft.operations):
        if "\0" in operation.key:
            yield Violation(f"/operations/{index}/key", "is not a key")
        if b"\\u0000" in operation.value and _NUL.search(operation.value):
            yield Violation(f"/operations/{index}/value", detail)
        if "\0" in (operation.description or ""):
            yield Violation(f"/operations/{index}/description", detail)


def committed(draft: Draft, result: Json) -> Committed:
    """What `trimtab_commit` returned for this draft."""
    replayed = "replayed" in result
    committed_at = datetime.fromisoformat(result["committed_at"])
    return Committed(
        revision=result["revision"],
        committed_at=committed_at,
        applied=applied(result["applied"]),
        messages=() if replayed else tuple(_messages(draft, result, committed_at)),
        dry_run=draft.dry_run,
        replayed=replayed,
    )


def _messages(draft: Draft, result: Json, committed_at: datetime) -> Iterator[ChangeMessage]:
    revision = result["revision"]
    states = sorted(result["scopes"], key=lambda each: (each["app_id"], each["environment"]))
    scopes = tuple(scope(each["app_id"], each["environment"]) for each in states)
    operations: dict[object, list[MessageOperation]] = {each: [] for each in scopes}
    for operation, (*_, version, sensitive) in zip(draft.operations, result["applied"], strict=True):
        operations[operation.scope].append(_message_operation(operation, revision, version, sensitive=sensitive))
    for where, state in zip(scopes, states, strict=True):
        yield ChangeMessage(
            revision=revision,
            previous=state["previous"],
            scope=where,
            scopes=scopes,
            committed_at=committed_at,
            digest=state["digest"],
            operations=tuple(operations[where]),
        )


def _message_operation(operation: Operation, revision: int, version: int, *, sensitive: bool) -> MessageOperation:
    if operation.op in REMOVING:
        return Delete(operation.key, version)
    kind = Kind.MASK if operation.op is Op.MASK else Kind.VALUE
    value = b"" if sensitive else operation.value
    return Put(entry(operation.key, kind, value, version, revision, sensitive=sensitive))

"""The one way by which a change is made: check it, commit it, tell everybody.

The rules that every change obeys stand here, whoever asks for it. Pointers of violations refer to the draft's
operations by index (`/operations/3/value`).
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from control_plane.domain.change import Committed, Draft, Forced, Op, Operation
from control_plane.domain.content import candidate_violations, content_violations, member_of, stored_references
from control_plane.domain.errors import (
    ApprovalRequiredError,
    ForbiddenError,
    GuardedError,
    InvalidError,
    ReferencesUncheckedError,
    RulesMovedError,
    StagingRequiredError,
    TooLargeError,
    TrimtabError,
    UnfitError,
    ValuesMovedError,
    WindowClosedError,
)
from control_plane.domain.gate import admit
from control_plane.domain.limits import Limits
from control_plane.metrics import Metrics
from control_plane.ports.changes import Changes
from control_plane.ports.lossy import Notices
from control_plane.services.checks import Checks, watched
from control_plane.services.feed import Feed
from control_plane.services.rules import Rules, Ruling
from shared.domain.codec import Json, decode
from shared.domain.scope import KEY_PATTERN, Scope, is_key
from shared.runtime.clock import Clock, SystemClock
from shared.wire.problem import Violation

_MAX_REVISION = 2**63 - 1
_NO_RULES = -1
_POLICED = (ApprovalRequiredError, StagingRequiredError, WindowClosedError, ForbiddenError, InvalidError)
_ATTEMPTS = 5
"""How often a draft is checked again because the rules, or what they are about, moved meanwhile."""


class Publishing:
    """Commits drafts. Messages are offered to the feed and the bell is rung only after a commit."""

    def __init__(
        self,
        changes: Changes,
        *,
        rules: Rules,
        checks: Checks,
        feed: Feed,
        notices: Notices,
        metrics: Metrics,
        limits: Limits,
        clock: Clock | None = None,
    ) -> None:
        self._changes = changes
        self._rules = rules
        self._checks = checks
        self._feed = feed
        self._notices = notices
        self._metrics = metrics
        self._limits = limits
        self._clock = clock or SystemClock()

    def require_form(self, draft: Draft) -> None:
        """Hold a draft against what needs no look at anything else.

        Raises:
            TooLargeError: a value is larger than the limit.
            InvalidError: a rule is violated; every violation is told.
        """
        _require_small_values(draft.operations, self._limits)
        violations = [*_draft_violations(draft, self._limits), *_violations(draft.operations, self._limits)]
        if draft.staged is not None:
            violations += _candidate_violations(draft.operations)
        if violations:
            raise InvalidError(violations)

    async def commit(self, draft: Draft) -> Committed:
        """Commit the draft as one change, or nothing of it.

        Raises:
            TooLargeError: a value is larger than the limit.
            InvalidError: a rule is violated; every violation is told.
            GuardedError: guards refuse it, and it is not forced.
            TrimtabError: whatever `Changes.commit` raises.
        """
        self.require_form(draft)
        committed = await self._commit(draft)
        if not (committed.replayed or committed.dry_run):
            self._metrics.commits.inc()
            self._feed.offer(committed.messages)
            await self._notices.ring(committed.revision)
        return committed

    async def _commit(self, draft: Draft) -> Committed:
        """Commit against the rules as they are, whoever changes them, or what they are about, meanwhile.

        What only moves a rollout on was held against them when it started: no rule keeps it from going back.
        """
        if draft.moves_on:
            return await self._changes.commit(unchecked(draft))
        ruling, linked = await self._rules.current(), False
        for _ in range(_ATTEMPTS - 1):
            try:
                return await self._commit_under(ruling, draft, linked=linked)
            except RulesMovedError:
                ruling = await self._rules.refresh()
            except ReferencesUncheckedError:
                linked = True
            except ValuesMovedError:
                continue
        return await self._commit_under(ruling, draft, linked=True)

    async def _commit_under(self, ruling: Ruling, draft: Draft, *, linked: bool) -> Committed:
        required = ruling.required(each.scope for each in draft.operations)
        try:
            admitted = admit(draft, required, self._clock.now())
            vetted = await self._checks.vet(admitted, ruling, linked=linked)
        except (*_POLICED, UnfitError, GuardedError) as refusal:
            return await self._refused(ruling, draft, refusal)
        return await self._changes.commit(vetted)

    async def _refused(self, ruling: Ruling, draft: Draft, refusal: TrimtabError) -> Committed:
        """Answer a draft that is refused before it came to the commit: maybe it is there already, or the rules moved.

        The commit knows what the draft's Idempotency-Key led to before; rules that never were let it do nothing else.
        Of guards, it tells those that it looks after itself, so that one answer names them all.
        """
        if draft.idempotency_key is not None and not draft.dry_run:
            with suppress(RulesMovedError):
                return await self._changes.commit(replace(draft, rules_revision=_NO_RULES))
        if (await self._rules.fresh()).revision != ruling.revision:
            msg = "The rules that the change was checked against moved."
            raise RulesMovedError(msg) from refusal
        if isinstance(refusal, GuardedError):
            tried = await self._changes.commit(rehearsal(draft, ruling))
            raise GuardedError([*refusal.hits, *(each for each in tried.hits if each.refuses)]) from refusal
        raise refusal


def unchecked(draft: Draft) -> Draft:
    """The draft as it is committed whatever it refers to."""
    operations = tuple(replace(each, refs=stored_references(each)) for each in draft.operations)
    return replace(draft, operations=operations, linked=())


def rehearsal(draft: Draft, ruling: Ruling) -> Draft:
    """The draft as it is tried: whatever its guards, which are told afterwards."""
    return replace(
        draft,
        operations=watched(draft.operations, ruling),
        dry_run=True,
        forced=draft.forced or Forced("rehearsal"),
        rules_revision=ruling.revision,
        linked=(),
    )


def text_violation(pointer: str, text: str | None, limits: Limits) -> Iterator[Violation]:
    """What is wrong with a text that people wrote, if anything."""
    if text is None:
        return
    if len(text) > limits.text_length:
        yield Violation(pointer, f"the limit text_length is {limits.text_length:,} characters")
    if "\0" in text:
        yield Violation(pointer, "a text cannot contain the character U+0000")


def _require_small_values(operations: Sequence[Operation], limits: Limits) -> None:
    for index, operation in enumerate(operations):
        member = member_of(operation.kind)
        limit, most = (
            ("value_bytes", limits.value_bytes) if member == "value" else ("document_bytes", limits.document_bytes)
        )
        if len(operation.value) > most:
            raise TooLargeError(limit, most, "bytes of compact JSON", f"/operations/{index}/{member}")


def _draft_violations(draft: Draft, limits: Limits) -> Iterator[Violation]:
    count = len(draft.operations)
    if count == 0:
        yield Violation("/operations", "a change has at least one operation")
    name, most = ("import_operations", limits.import_operations) if draft.whole else ("operations", limits.operations)
    if count > most:
        yield Violation("/operations", f"the limit {name} is {most:,} in one change, these are {count:,}")
    yield from text_violation("/message", draft.message, limits)
    if draft.forced is not None:
        if not draft.forced.reason.strip():
            yield Violation("/force/reason", "say why it is forced")
        yield from text_violation("/force/reason", draft.forced.reason, limits)
    if draft.base_revision is not None and not 0 <= draft.base_revision <= _MAX_REVISION:
        yield Violation("/base_revision", "a revision is a whole number from 0")


def _violations(operations: Sequence[Operation], limits: Limits) -> Iterator[Violation]:
    seen: dict[tuple[Scope, str], int] = {}
    for index, operation in enumerate(operations[: max(limits.operations, limits.import_operations)]):
        pointer = f"/operations/{index}"
        yield from _operation_violations(pointer, operation, limits)
        first = seen.setdefault((operation.scope, operation.key), index)
        if first != index:
            yield Violation(f"{pointer}/key", f"operation {first} of this change is about the same key and scope")


def _operation_violations(pointer: str, operation: Operation, limits: Limits) -> Iterator[Violation]:
    if len(operation.key) > limits.key_length:
        yield Violation(f"{pointer}/key", f"the limit key_length is {limits.key_length} characters")
    elif not is_key(operation.key):
        yield Violation(f"{pointer}/key", f"a key looks like {KEY_PATTERN}")
    yield from text_violation(f"{pointer}/description", operation.description, limits)
    if operation.op is Op.PUT:
        yield from _content_violations(f"{pointer}/{member_of(operation.kind)}", operation, limits)


def _content_violations(pointer: str, operation: Operation, limits: Limits) -> Iterator[Violation]:
    found = tuple(_value_violations(pointer, operation.value, limits))
    yield from found
    if operation.value and not found:
        yield from content_violations(operation.kind, operation.key, operation.value, pointer)


def _candidate_violations(operations: Sequence[Operation]) -> Iterator[Violation]:
    """Of candidates that begin to be exposed: once they are, nothing keeps them from going on or back."""
    for index, operation in enumerate(operations):
        yield from candidate_violations(operation, f"/operations/{index}")


def _value_violations(pointer: str, value: bytes, limits: Limits) -> Iterator[Violation]:
    """Look into a value only where its bytes make a violation possible at all."""
    if not value:
        yield Violation(pointer, "put needs a value, a flag or a segment")
        return
    if value.count(b"[") + value.count(b"{") > limits.value_depth and _depth(decode(value)) > limits.value_depth:
        yield Violation(pointer, f"the limit value_depth is {limits.value_depth} levels of nesting")
    if b"\\u0000" in value and _contains_nul(decode(value)):
        yield Violation(pointer, "a text cannot contain the character U+0000")


def _depth(value: Json) -> int:
    """Levels of nesting; a bare number or text has none. Callers have bounded it already (`codec.MAX_DEPTH`)."""
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _contains_nul(value: Json) -> bool:
    if isinstance(value, dict):
        return any("\0" in key or _contains_nul(item) for key, item in value.items())
    if isinstance(value, list):
        return any(map(_contains_nul, value))
    return isinstance(value, str) and "\0" in value

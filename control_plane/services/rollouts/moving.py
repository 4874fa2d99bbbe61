"""From what happens to a rollout to the one change by which it happens."""

from dataclasses import dataclass, replace
from typing import Any

from control_plane.domain.attribution import Attribution, Source
from control_plane.domain.change import Committed, Draft, Op, Operation
from control_plane.domain.errors import InvalidError
from control_plane.domain.rollouts.exposure import exposure
from control_plane.domain.rollouts.machine import Moved
from control_plane.domain.rollouts.rollout import Rollout
from control_plane.domain.rollouts.words import EXPOSED, Outcome
from control_plane.ports.rules import RuleBook
from control_plane.services.publishing import Publishing
from shared.domain.entry import Entry, Kind
from shared.wire.problem import Violation

_STARTED = "started"


@dataclass(frozen=True, slots=True)
class Moving:
    """Carries out moves. Each is a change with one operation, on the config as it stands, and is made once."""

    book: RuleBook
    publishing: Publishing

    async def draft(self, moved: Moved, by: Attribution, **more: Any) -> Draft:
        """The change that a move is; `more` are further fields of the draft.

        Raises:
            InvalidError: what stands there cannot be a baseline.
        """
        rollout = moved.rollout
        starts = moved.action == _STARTED
        draft = Draft(
            operations=(operation(rollout, await self._standing(rollout)),),
            by=replace(by, source=Source.ROLLOUT),
            message=rollout.message or f"{rollout.strategy} rollout of {rollout.key}: {moved.action}",
            labels=rollout.labels,
            author=rollout.author if starts else "",
            acting_role=rollout.author_role if starts else "",
            approvals=tuple((each.principal, each.role) for each in rollout.approvals if each.step < 0),
            transition=rollout.transition(moved.action, moved.detail),
            staged=rollout.plan.staged(rollout.strategy) if starts else None,
        )
        return replace(draft, **more)

    async def commit(self, moved: Moved, by: Attribution, **more: Any) -> Committed:
        """Make the change.

        Raises:
            StaleRolloutError: something else happened to the rollout meanwhile.
            TrimtabError: whatever `Publishing.commit` raises.
        """
        return await self.publishing.commit(await self.draft(moved, by, **more))

    async def _standing(self, rollout: Rollout) -> Entry | None:
        app = rollout.scope.app_id
        stand = await self.book.stand([rollout.key], [] if app is None else [app])
        return stand.entries.get(rollout.key, {}).get(rollout.scope)


def operation(rollout: Rollout, entry: Entry | None) -> Operation:
    """What a rollout as it is now makes of what stands there.

    Raises:
        InvalidError: it is masked there, or of another nature, so there is nothing to expose a candidate over.
    """
    version = 0 if entry is None else entry.version
    scope, key = rollout.scope, rollout.key
    if rollout.outcome is Outcome.KEPT:
        return Operation(
            Op.PUT,
            scope,
            key,
            rollout.candidate,
            _sensitive(rollout, entry),
            expected_version=version,
            kind=Kind(rollout.kind),
        )
    if entry is not None and entry.kind == Kind.MASK:
        raise InvalidError([Violation("/key", f"{key} is masked in {scope}: unmask it first")])
    kind, value = (Kind.INHERIT, b"") if entry is None else (Kind(entry.kind), entry.value)
    if rollout.phase in EXPOSED:
        _require_alike(rollout, kind)
        seen = exposure(rollout)
        sensitive = _sensitive(rollout, entry)
        return Operation(Op.ROLLOUT, scope, key, value, sensitive, expected_version=version, kind=kind, rollout=seen)
    if kind is Kind.INHERIT:
        return Operation(Op.DELETE, scope, key, expected_version=version)
    return Operation(Op.ROLLOUT, scope, key, value, expected_version=version, kind=kind)


def _require_alike(rollout: Rollout, kind: Kind) -> None:
    """Segments and what can be read as a config do not take each other's place: nothing that refers to one would find it."""
    if (rollout.kind == Kind.SEGMENT) != (kind is Kind.SEGMENT):
        there = "no segment" if rollout.kind == Kind.SEGMENT else "a segment"
        detail = (
            f"{rollout.key} is {there} in {rollout.scope}: a segment rolls out over a segment, and nothing else does"
        )
        raise InvalidError([Violation(f"/{rollout.kind}" if rollout.kind != Kind.VALUE else "/candidate", detail)])


def _sensitive(rollout: Rollout, entry: Entry | None) -> bool | None:
    """A rollout makes what it begins as secret as it is itself; what is there already stays as secret as it was."""
    return (rollout.sensitive or None) if entry is None else None

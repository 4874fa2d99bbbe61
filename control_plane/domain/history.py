"""What stood where at a revision: entries with their origin, what an app/environment saw, and what puts it back."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from control_plane.domain.change import Op, Operation
from shared.domain.entry import Entry, Kind
from shared.domain.resolution import Effective, resolve_all
from shared.domain.scope import Level, Scope


@dataclass(frozen=True, slots=True)
class PastEntry:
    """One config's entry as it stood at a revision, with the change that left it so.

    Holds sensitive values, which services compare and put back and which no answer may show. A config that was
    deleted then has an entry that is not `live`; one that had no version yet has none.
    """

    config_id: UUID
    scope: Scope
    key: str
    version: int
    revision: int
    op: Op
    kind: str
    value: bytes
    sensitive: bool
    author: str
    message: str
    committed_at: datetime
    rollout: bytes = b""

    @property
    def live(self) -> bool:
        """Whether it stood there, be it as a mask."""
        return self.op in {Op.PUT, Op.MASK, Op.ROLLOUT}

    @property
    def yields(self) -> bool:
        """Whether it gives its key a value: it is there and no mask."""
        return self.live and self.kind is not Kind.MASK

    @property
    def entry(self) -> Entry:
        """The entry as it is resolved for who asks: without what nobody may see."""
        value, rollout = (b"", b"") if self.sensitive else (self.value, self.rollout)
        return Entry(self.key, self.kind, value, self.version, self.revision, self.sensitive, rollout)


def same_entry(one: PastEntry | None, other: PastEntry | None) -> bool:
    """Whether two entries do the same at their scope: nothing, hide, or give the same value."""
    one_live, other_live = one is not None and one.live, other is not None and other.live
    if one is None or other is None or not (one_live and other_live):
        return one_live is other_live
    return one.kind is other.kind and (one.kind is Kind.MASK or _same_value(one, other))


def same_effect(one: PastEntry | None, other: PastEntry | None) -> bool:
    """Whether two effective entries (None: no value) give a reader the same, and are secrets alike."""
    if one is None or other is None:
        return one is other
    return _same_value(one, other)


def _same_value(one: PastEntry, other: PastEntry) -> bool:
    return (one.kind, one.value, one.sensitive) == (other.kind, other.value, other.sensitive)


def same_exposure(one: PastEntry | None, other: PastEntry | None) -> bool:
    """Whether two entries are under the same rollout, or under none."""
    exposed = [b"" if each is None or not each.live else each.rollout for each in (one, other)]
    return exposed[0] == exposed[1]


def effective(entries: Iterable[PastEntry]) -> dict[str, PastEntry]:
    """The entry that answers for each key, in the order of the keys: the most specific live one, unless it is a mask.

    One that has nothing of its own but a rollout lends it to the entry below.
    """
    ranks = {level: rank for rank, level in enumerate(Level)}
    merged: dict[str, PastEntry] = {}
    for entry in sorted((each for each in entries if each.live), key=lambda each: ranks[each.scope.level]):
        if entry.kind is not Kind.INHERIT:
            merged[entry.key] = entry
        elif (below := merged.get(entry.key)) is not None and below.yields:
            merged[entry.key] = replace(below, rollout=entry.rollout or below.rollout)
    return {key: merged[key] for key in sorted(merged) if merged[key].yields}


def resolvable(entries: Iterable[PastEntry]) -> dict[str, Effective]:
    """What answers for each key, with all that its rollouts may lead to; secrets are left out."""
    by_level: dict[Level, dict[str, Entry]] = {level: {} for level in Level}
    for each in entries:
        if each.live:
            by_level[each.scope.level][each.key] = each.entry
    return resolve_all(by_level[Level.GLOBAL], by_level[Level.APP], by_level[Level.ENVIRONMENT])


def putting(scope: Scope, key: str, wanted: PastEntry | None, current: PastEntry | None) -> Operation | None:
    """The operation after which `wanted` stands where `current` does (None: nothing); None if nothing is to be done."""
    if same_entry(wanted, current):
        return None
    if wanted is not None and wanted.live and wanted.kind is not Kind.INHERIT:
        if wanted.kind is Kind.MASK:
            return Operation(Op.MASK, scope, key)
        kind = Kind(wanted.kind)
        return Operation(Op.PUT, scope, key, wanted.value, wanted.sensitive, puts_back=True, kind=kind)
    masked = current is not None and current.kind is Kind.MASK
    return Operation(Op.UNMASK if masked else Op.DELETE, scope, key)


@dataclass(frozen=True, slots=True)
class When:
    """A revision, an instant or a named snapshot; none of them: now."""

    revision: int | None = None
    at: datetime | None = None
    snapshot: str | None = None


class Reason(StrEnum):
    """Why nothing is done about a key."""

    EQUAL = "equal"
    """It is there already as it should be."""
    MOVED = "moved"
    """Somebody changed it since."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A key of which a computed change does nothing, and why."""

    scope: Scope
    key: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Computed:
    """The operations of a change that was computed of what stood where at `base_revision`."""

    operations: tuple[Operation, ...]
    base_revision: int
    reverts: int | None = None
    left_out: tuple[LeftOut, ...] = ()

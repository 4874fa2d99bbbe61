"""What operations do to what each app/environment sees, pure: given what stands for their keys in all scopes.

Only the touched keys are looked at, and of each key only the environments that the operations reach, so the effect of
a global change on hundreds of environments is a matter of milliseconds.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from control_plane.domain.change import Op, Operation
from shared.domain.entry import Entry, Kind
from shared.domain.scope import Scope

Pair: TypeAlias = tuple[str, str]
"""An app/environment."""

Standing: TypeAlias = Mapping[str, Mapping[Scope, Entry]]
"""The live entries of some keys in all scopes."""

Versions: TypeAlias = Mapping[tuple[Scope, str], int]
"""The versions that the operations' entries get."""


class Seen(NamedTuple):
    """What an app/environment sees for a key, and the scope that it comes from."""

    scope: Scope
    entry: Entry


class Difference(NamedTuple):
    """A key whose value, or whose secrecy, changes for an app/environment. None: it sees nothing for the key."""

    app_id: str
    environment: str
    key: str
    before: Seen | None
    after: Seen | None


class Why(StrEnum):
    """Why an operation has no effect on anybody."""

    OVERRIDDEN = "overridden"
    """In every environment that it reaches, a more specific scope decides."""
    UNCHANGED = "unchanged"
    """What it leads to is what is there."""
    UNREACHED = "unreached"
    """No environment sees its scope."""


@dataclass(frozen=True, slots=True)
class Idle:
    """An operation without effect. `overridden_by` are the scopes that win over it."""

    index: int
    why: Why
    overridden_by: tuple[Scope, ...] = ()


@dataclass(frozen=True, slots=True)
class Effects:
    """What the operations do: the differences by environment and key, and the operations that do nothing."""

    differences: tuple[Difference, ...]
    idle: tuple[Idle, ...]


class Reached:
    """Which environments see a scope."""

    def __init__(self, environments: Iterable[Pair]) -> None:
        self._all = sorted(environments)
        self._of: dict[str, list[Pair]] = defaultdict(list)
        for pair in self._all:
            self._of[pair[0]].append(pair)

    def by(self, scope: Scope) -> Sequence[Pair]:
        """The environments that see this scope."""
        if scope.app_id is None:
            return self._all
        known = self._of.get(scope.app_id, [])
        return known if scope.environment is None else [each for each in known if each[1] == scope.environment]

    def by_any(self, scopes: Iterable[Scope]) -> Sequence[Pair]:
        """The environments that see one of these scopes."""
        wanted = set(scopes)
        if Scope() in wanted:
            return self._all
        return sorted({pair for scope in wanted for pair in self.by(scope)})


def effects(
    operations: Sequence[Operation], standing: Standing, known: Reached, versions: Versions | None = None
) -> Effects:
    """Compute what the operations do, all of them together."""
    by_key: dict[str, list[tuple[int, Operation]]] = defaultdict(list)
    for index, operation in enumerate(operations):
        by_key[operation.key].append((index, operation))
    differences: list[Difference] = []
    idle: list[Idle] = []
    for key, touching in by_key.items():
        of_key = _OfKey(key, touching, standing.get(key, {}), versions or {})
        differences += of_key.differences(known)
        idle += of_key.idle(known)
    differences.sort(key=lambda each: each[:3])
    return Effects(tuple(differences), tuple(sorted(idle, key=lambda each: each.index)))


class _OfKey:
    """The entries of one key, before and after."""

    def __init__(
        self, key: str, touching: Sequence[tuple[int, Operation]], before: Mapping[Scope, Entry], versions: Versions
    ) -> None:
        self.key, self.touching, self.before = key, touching, before
        self.after = dict(before)
        for _, operation in touching:
            scope = operation.scope
            new = _left(operation, before.get(scope), versions.get((scope, key), 0))
            if new is None:
                self.after.pop(scope, None)
            else:
                self.after[scope] = new
        self._decided: dict[Scope, tuple[set[Scope], bool]] = {}

    def differences(self, known: Reached) -> Iterator[Difference]:
        """What changes for whom; remembers on the way which scopes decide."""
        self._decided = {operation.scope: (set(), False) for _, operation in self.touching}
        for pair in known.by_any(self._decided):
            before, after = _decides(self.before, pair), _decides(self.after, pair)
            seen_before, seen_after = _seen(before), _seen(after)
            differs = _content(seen_before) != _content(seen_after)
            self._remember(pair, before, after, differs=differs)
            if differs:
                yield Difference(*pair, self.key, seen_before, seen_after)

    def idle(self, known: Reached) -> Iterator[Idle]:
        """The operations that do nothing; asked after the differences."""
        for index, operation in self.touching:
            winners, effective = self._decided[operation.scope]
            if effective:
                continue
            if not known.by(operation.scope):
                yield Idle(index, Why.UNREACHED)
            elif operation.scope in winners:
                yield Idle(index, Why.UNCHANGED)
            else:
                yield Idle(index, Why.OVERRIDDEN, tuple(sorted(winners, key=str)))

    def _remember(self, pair: Pair, before: Seen | None, after: Seen | None, *, differs: bool) -> None:
        app_id, environment = pair
        for scope in (Scope(app_id, environment), Scope(app_id), Scope()):
            if scope not in self._decided:
                continue
            winners, effective = self._decided[scope]
            deciding = {each.scope for each in (before, after) if each is not None}
            mine = scope in deciding
            winners |= {scope} if mine or not deciding else deciding
            self._decided[scope] = (winners, effective or (mine and differs))


def _left(operation: Operation, old: Entry | None, version: int) -> Entry | None:
    """The entry that an operation leaves."""
    match operation.op:
        case Op.PUT:
            sensitive = (old is not None and old.sensitive) if operation.sensitive is None else operation.sensitive
            return Entry(operation.key, Kind.VALUE, operation.value, version, 0, sensitive)
        case Op.MASK:
            return Entry(operation.key, Kind.MASK, b"", version, 0)
        case Op.DELETE | Op.UNMASK:
            return None


def _decides(entries: Mapping[Scope, Entry], pair: Pair) -> Seen | None:
    """The most specific entry, a mask too."""
    for scope in (Scope(*pair), Scope(pair[0]), Scope()):
        if (entry := entries.get(scope)) is not None:
            return Seen(scope, entry)
    return None


def _seen(decides: Seen | None) -> Seen | None:
    return None if decides is None or decides.entry.kind is Kind.MASK else decides


def _content(seen: Seen | None) -> tuple[bytes, bool] | None:
    return None if seen is None else (seen.entry.value, seen.entry.sensitive)

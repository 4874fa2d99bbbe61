"""What operations do to what each app/environment sees, pure: given what stands for their keys in all scopes.

Only the touched keys are looked at, and of each key only the environments that the operations reach, so the effect of
a global change on hundreds of environments is a matter of milliseconds.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from control_plane.domain.change import Op, Operation
from shared.domain.entry import Entry, Kind
from shared.domain.scope import Level, Scope

Pair: TypeAlias = tuple[str, str]
"""An app/environment."""

Standing: TypeAlias = Mapping[str, Mapping[Scope, Entry]]
"""The live entries of some keys in all scopes."""

Versions: TypeAlias = Mapping[tuple[Scope, str], int]
"""The versions that the operations' entries get."""


_RANK = {level: rank for rank, level in enumerate(Level)}


class Seen(NamedTuple):
    """What an app/environment sees for a key, and the scope that it comes from.

    `below` is what it would see otherwise, where the entry has nothing of its own but a rollout.
    """

    scope: Scope
    entry: Entry
    below: "Seen | None" = None

    @property
    def baseline(self) -> "Seen | None":
        """What those see whom no rollout reaches; None: nothing."""
        if self.entry.kind is not Kind.INHERIT:
            return self
        return None if self.below is None else self.below.baseline

    @property
    def size(self) -> int:
        """Bytes of what is seen."""
        entry = self.entry
        return len(entry.value) + len(entry.rollout) + (0 if self.below is None else self.below.size)


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


def with_secrecy(operations: Sequence[Operation], secrets: Container[tuple[Scope, str]]) -> list[Operation]:
    """The operations, of which those that put something say whether it is a secret, as the commit will decide it."""
    return [
        replace(each, sensitive=(each.scope, each.key) in secrets)
        if each.op in {Op.PUT, Op.ROLLOUT} and each.sensitive is None
        else each
        for each in operations
    ]


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


class Layers:
    """The entries of one key by level: what decides for an app/environment is three look-ups away."""

    def __init__(self, entries: Mapping[Scope, Entry]) -> None:
        self._global: Seen | None = None
        self._apps: dict[str, Seen] = {}
        self._environments: dict[Pair, Seen] = {}
        for scope, entry in entries.items():
            found = Seen(scope, entry)
            if scope.app_id is None:
                self._global = found
            elif scope.environment is None:
                self._apps[scope.app_id] = found
            else:
                self._environments[scope.app_id, scope.environment] = found

    def deciding(self, pair: Pair) -> Iterator[Seen]:
        """The entries that have a say, the most specific first: up to the first one that has something of its own."""
        for found in (self._environments.get(pair), self._apps.get(pair[0]), self._global):
            if found is not None:
                yield found
                if found.entry.kind is not Kind.INHERIT:
                    return

    def seen(self, pair: Pair) -> Seen | None:
        """What is seen: nothing of a mask."""
        below: Seen | None = None
        for found in reversed([*self.deciding(pair)]):
            below = None if found.entry.kind is Kind.MASK else Seen(found.scope, found.entry, below)
        return below


class _OfKey:
    """The entries of one key, before and after."""

    def __init__(
        self, key: str, touching: Sequence[tuple[int, Operation]], before: Mapping[Scope, Entry], versions: Versions
    ) -> None:
        self.key, self.touching = key, touching
        after = dict(before)
        for _, operation in touching:
            scope = operation.scope
            new = _left(operation, before.get(scope), versions.get((scope, key), 0))
            if new is None:
                after.pop(scope, None)
            else:
                after[scope] = new
        self._before, self._after = Layers(before), Layers(after)
        self._alone = {operation.scope: _Alone(after, before, operation.scope) for _, operation in touching}

    def differences(self, known: Reached) -> Iterator[Difference]:
        """What changes for whom."""
        before, after = self._before, self._after
        for pair in known.by_any(self._alone):
            earlier, later = before.seen(pair), after.seen(pair)
            if _content(earlier) != _content(later):
                yield Difference(*pair, self.key, earlier, later)

    def idle(self, known: Reached) -> Iterator[Idle]:
        """The operations that do nothing."""
        for index, operation in self.touching:
            alone, reached = self._alone[operation.scope], known.by(operation.scope)
            if any(alone.matters(pair, self._after) for pair in reached):
                continue
            if not reached:
                yield Idle(index, Why.UNREACHED)
            elif alone.decides:
                yield Idle(index, Why.UNCHANGED)
            else:
                yield Idle(index, Why.OVERRIDDEN, tuple(sorted(alone.winners, key=str)))


class _Alone:
    """What one operation does by itself: whether anybody would see anything else if it were left out."""

    def __init__(self, after: Mapping[Scope, Entry], before: Mapping[Scope, Entry], scope: Scope) -> None:
        self.decides = False
        self.winners: set[Scope] = set()
        self._rank = _RANK[scope.level]
        without = {at: each for at, each in after.items() if at != scope}
        if (old := before.get(scope)) is not None:
            without[scope] = old
        self._without = Layers(without)

    def matters(self, pair: Pair, after: Layers) -> bool:
        """Whether it does for an app/environment that it reaches; remembers why not."""
        for found in after.deciding(pair):
            if _RANK[found.scope.level] > self._rank and found.entry.kind is not Kind.INHERIT:
                self.winners.add(found.scope)
                return False
        self.decides = True
        return _content(self._without.seen(pair)) != _content(after.seen(pair))


def _left(operation: Operation, old: Entry | None, version: int) -> Entry | None:
    """The entry that an operation leaves."""
    match operation.op:
        case Op.PUT | Op.ROLLOUT:
            sensitive = (old is not None and old.sensitive) if operation.sensitive is None else operation.sensitive
            return Entry(operation.key, operation.kind, operation.value, version, 0, sensitive, operation.rollout)
        case Op.MASK:
            return Entry(operation.key, Kind.MASK, b"", version, 0)
        case Op.DELETE | Op.UNMASK:
            return None


_Content: TypeAlias = tuple[str, bytes, bytes, bool, object]


def _content(found: Seen | None) -> _Content | None:
    if found is None:
        return None
    entry, below = found.entry, _content(found.below)
    if entry.kind is Kind.INHERIT and not entry.rollout:
        return below
    return entry.kind, entry.value, entry.rollout, entry.sensitive, below

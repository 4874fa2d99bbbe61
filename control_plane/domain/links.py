"""What refers to what, pure: whether the references of what each app/environment sees lead somewhere, and not in a circle.

Only the touched keys are looked at: what they refer to, what refers to them, and where their references lead. What was
wrong before a change is no reason to refuse it, so that nobody is kept from taking things back.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

from control_plane.domain.change import Op, Operation
from control_plane.domain.content import SEGMENT, key_of, references, stored_references
from control_plane.domain.effects import Pair, Reached
from control_plane.domain.secrecy import Warning  # noqa: A004 - the product's word for it
from shared.domain.entry import Kind
from shared.domain.references import MAX_FOLLOWED
from shared.domain.scope import Scope
from shared.wire.problem import Violation

_NAMED = 10
"""Dependants that one violation names."""
_LATER = "an environment that is registered later would get the default, or the baseline"


class Node(NamedTuple):
    """A live entry as far as references are concerned: what it is, and what it refers to (as it is stored)."""

    kind: str
    refs: tuple[str, ...] = ()


Nodes: TypeAlias = Mapping[str, Mapping[Scope, Node]]
"""Entries by key and scope."""

Place: TypeAlias = tuple[str | None, str | None]
"""An app/environment; None for what nobody is registered in yet."""


class Dependant(NamedTuple):
    """A config, or a segment, whose rules refer to what a change touches, maybe by way of others."""

    app_id: str | None
    environment: str | None
    scope: Scope
    key: str
    kind: str
    refers_to: str


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one place sees for a key: the kind that its readers meet (None: nothing), and all that it refers to."""

    kind: str | None
    refs: tuple[str, ...]
    scopes: tuple[Scope, ...]

    def answers(self, ref: str) -> bool:
        """Whether a reference to it leads somewhere."""
        return self.kind is not None and (self.kind == Kind.SEGMENT) is ref.startswith(SEGMENT)


_NOTHING = _Seen(None, (), ())


@dataclass(frozen=True)
class _View:
    """What one place sees of some entries."""

    nodes: Nodes
    place: Place

    @cached_property
    def _scopes(self) -> tuple[Scope, ...]:
        app_id, environment = self.place
        own = [] if environment is None else [Scope(app_id, environment)]
        return (*own, *([] if app_id is None else [Scope(app_id)]), Scope())

    @cached_property
    def _known(self) -> dict[str, _Seen]:
        return {}

    def seen(self, key: str) -> _Seen:
        """What is seen for a key, through entries that have nothing of their own but a rollout."""
        if (found := self._known.get(key)) is None:
            found = self._known[key] = self._look(self.nodes.get(key, {}))
        return found

    def _look(self, entries: Mapping[Scope, Node]) -> _Seen:
        refs: dict[str, None] = {}
        scopes: list[Scope] = []
        for scope in self._scopes:
            node = entries.get(scope)
            if node is None:
                continue
            if node.kind == Kind.MASK:
                break
            refs |= dict.fromkeys(node.refs)
            scopes.append(scope)
            if node.kind != Kind.INHERIT:
                return _Seen(node.kind, tuple(refs), tuple(scopes))
        return _Seen(None, tuple(refs), tuple(scopes))

    def circle(self, key: str) -> list[str] | None:
        """The way from a key back to itself, if there is one."""
        path, seen = [key], {key}
        ways = [iter(self.seen(key).refs)]
        while ways:
            step = next(ways[-1], None)
            if step is None:
                ways.pop()
                path.pop()
                continue
            following = key_of(step)
            if following == key:
                return [*path, key]
            if following not in seen:
                seen.add(following)
                path.append(following)
                ways.append(iter(self.seen(following).refs))
        return None


class _Sides(NamedTuple):
    """What a place sees before and after, and the keys that operations touch there."""

    place: Place
    before: _View
    after: _View
    touched: frozenset[str]


class Links:
    """The references around the keys of some operations, before and after them."""

    def __init__(self, operations: Sequence[Operation], before: Nodes, known: Reached) -> None:
        self._operations = [(index, each) for index, each in enumerate(operations)]
        self._before = before
        self._after = _applied(operations, before)
        self._touched: dict[str, list[tuple[int, Operation]]] = defaultdict(list)
        for index, each in self._operations:
            self._touched[each.key].append((index, each))
        self._places = _places([each.scope for each in operations], before, known)

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys that were looked at."""
        named = {key_of(ref) for entries in self._after.values() for node in entries.values() for ref in node.refs}
        return tuple(sorted({*self._before, *self._after, *named}))

    def violations(self) -> Iterator[Violation]:
        """What is wrong with the references after the operations and was not before."""
        told: set[tuple[str, str]] = set()
        for place, others in self._places:
            where = _where(place, others)
            for found in self._of_place(place):
                if (found.pointer, found.detail) not in told:
                    told.add((found.pointer, found.detail))
                    yield Violation(found.pointer, f"{found.detail} in {where}")

    def unforeseen(self) -> Iterator[Warning]:
        """References that only the scopes of single environments answer: one that is registered later would not."""
        for scope in sorted({each.scope for _, each in self._operations if each.scope.environment is None}, key=str):
            place = (scope.app_id, None)
            view = _View(self._after, place)
            for key, touching in sorted(self._touched.items()):
                lost = [ref for ref in view.seen(key).refs if not view.seen(key_of(ref)).answers(ref)]
                if lost and any(each.scope == scope for _, each in touching):
                    detail = f"{_why_not(lost[0], view.seen(key_of(lost[0])))} in {_where(place, 0)}: {_LATER}"
                    yield Warning(self._pointer(place, key, lost[0]), detail)

    def dependants(self, pairs: Iterable[Pair]) -> list[Dependant]:
        """What refers to the touched keys after the operations, in these environments."""
        found: dict[Dependant, None] = {}
        for pair in pairs:
            view = _View(self._after, pair)
            refer = _referring(view, self._after)
            waiting = [key for key, each in self._touched.items() if _reaches(each, pair)]
            known = set(waiting)
            for key in waiting:  # grows while it is gone through
                for other in refer.get(key, ()):
                    seen = view.seen(other)
                    kind = seen.kind or Kind.INHERIT
                    found[Dependant(*pair, seen.scopes[0], other, kind, key)] = None
                    if other not in known:
                        known.add(other)
                        waiting.append(other)
        return list(found)

    def _of_place(self, place: Place) -> Iterator[Violation]:
        touched = frozenset(key for key, each in self._touched.items() if _reaches(each, place))
        sides = _Sides(place, _View(self._before, place), _View(self._after, place), touched)
        referring = _referring(sides.after, self._after)
        for key in sorted(touched):
            yield from self._lost(sides, key)
            yield from self._left_behind(sides, key, referring.get(key, ()))
            circle = sides.after.circle(key)
            if circle is None:
                yield from self._too_long(sides, key)
            elif sides.before.circle(key) is None:
                yield Violation(self._pointer(place, key, circle[1]), f"refers back to itself: {' → '.join(circle)}")

    def _lost(self, sides: _Sides, key: str) -> Iterator[Violation]:
        """References of a touched key that lead nowhere."""
        before, after = sides.before, sides.after
        had = set(before.seen(key).refs)
        for ref in after.seen(key).refs:
            target = after.seen(key_of(ref))
            if not target.answers(ref) and (ref not in had or before.seen(key_of(ref)).answers(ref)):
                yield Violation(self._pointer(sides.place, key, ref), _why_not(ref, target))

    def _left_behind(self, sides: _Sides, key: str, referring: Iterable[str]) -> Iterator[Violation]:
        """What refers to a touched key and would no longer find what it means."""
        earlier, later = sides.before.seen(key), sides.after.seen(key)
        lost = [
            other
            for other in referring
            if other not in sides.touched
            and any(
                key_of(ref) == key and earlier.answers(ref) and not later.answers(ref)
                for ref in sides.after.seen(other).refs
            )
        ]
        if lost:
            names = ", ".join(lost[:_NAMED]) + (f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else "")
            what = "a segment" if earlier.kind == Kind.SEGMENT else "a config"
            detail = f"{key} would no longer be {what} for what refers to it: {names}"
            yield Violation(self._pointer(sides.place, key, None), detail)

    def _too_long(self, sides: _Sides, key: str) -> Iterator[Violation]:
        if _is_too_long(key, sides.after, self._after) and not _is_too_long(key, sides.before, self._before):
            detail = f"the limit is {MAX_FOLLOWED} references from one to the next, and more lead through {key}"
            yield Violation(self._pointer(sides.place, key, None), detail)

    def _pointer(self, place: Place, key: str, ref: str | None) -> str:
        """Where a reference of a touched key stands in the operations; its key, if it shows but stands elsewhere."""
        app_id, environment = place
        scopes = (Scope(app_id, environment), Scope(app_id), Scope()) if app_id else (Scope(),)
        reaching = sorted(
            (each for each in self._touched[key] if each[1].scope in scopes),
            key=lambda each: scopes.index(each[1].scope),
        )
        for index, operation in reaching if ref is not None else ():
            for found in references(operation):
                if ref in {found.stored, found.key}:
                    return f"/operations/{index}{found.pointer}"
        return f"/operations/{reaching[0][0]}/key"


def _applied(operations: Sequence[Operation], before: Nodes) -> dict[str, dict[Scope, Node]]:
    after = {key: dict(entries) for key, entries in before.items()}
    for each in operations:
        entries = after.setdefault(each.key, {})
        if each.op in {Op.DELETE, Op.UNMASK}:
            entries.pop(each.scope, None)
        elif each.op is Op.MASK:
            entries[each.scope] = Node(Kind.MASK)
        else:
            entries[each.scope] = Node(each.kind, stored_references(each))
    return after


def _places(touched: Iterable[Scope], nodes: Nodes, known: Reached) -> list[tuple[Place, int]]:
    """One place of each sort that sees the same, with the number of others; scopes that nobody sees for themselves."""
    scopes = set(touched)
    own = scopes | {scope for entries in nodes.values() for scope in entries}
    sorts: dict[object, Place] = {}
    count: dict[object, int] = defaultdict(int)
    for pair in known.by_any(scopes):
        sort = (pair[0] if Scope(pair[0]) in own else None, pair if Scope(*pair) in own else None)
        sorts.setdefault(sort, pair)
        count[sort] += 1
    for scope in scopes:
        if not known.by(scope):
            sorts[scope] = (scope.app_id, scope.environment)
    return [(place, max(0, count[sort] - 1)) for sort, place in sorts.items()]


def _reaches(touching: Iterable[tuple[int, Operation]], place: Place) -> bool:
    app_id, environment = place
    return any(
        each.scope.app_id in {None, app_id} and each.scope.environment in {None, environment} for _, each in touching
    )


def _referring(view: _View, nodes: Nodes) -> dict[str, list[str]]:
    """Which keys refer to which, by the key that is referred to."""
    found: dict[str, list[str]] = defaultdict(list)
    for key in sorted(nodes):
        for target in {key_of(ref) for ref in view.seen(key).refs}:
            found[target].append(key)
    return found


def _is_too_long(key: str, view: _View, nodes: Nodes) -> bool:
    """Whether more references lead through a key, one after the other, than anybody follows."""
    refer = _referring(view, nodes)
    up = _steps(key, lambda each: refer.get(each, ()))
    return up + _steps(key, lambda each: map(key_of, view.seen(each).refs)) > MAX_FOLLOWED


def _steps(key: str, following: Callable[[str], Iterable[str]]) -> int:
    """The length of the longest way from a key, as far as it matters."""
    layer, steps = {key}, 0
    while (layer := {other for each in layer for other in following(each)}) and steps <= MAX_FOLLOWED:
        steps += 1
    return steps


def _why_not(ref: str, target: _Seen) -> str:
    key = key_of(ref)
    if target.kind is None:
        return f"refers to {key}, and there is no such {'segment' if ref.startswith(SEGMENT) else 'config'}"
    if ref.startswith(SEGMENT):
        return f"refers to the segment {key}, which is no segment"
    return f"refers to what {key} yields, and a segment yields nothing"


def _where(place: Place, others: int) -> str:
    app_id, environment = place
    if app_id is None:
        return "the global scope"
    name = f"{app_id}/{environment}" if environment else f"the scope of {app_id}"
    return name if not others else f"{name} and {others:,} other environment{'' if others == 1 else 's'}"

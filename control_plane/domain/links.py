"""What refers to what, pure: whether the references of what each app/environment sees lead somewhere, and not in a circle.

Only the touched keys are looked at: what they refer to, what refers to them, and where their references lead. What was
wrong before a change is no reason to refuse it, so that nobody is kept from taking things back.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from control_plane.domain.change import Op, Operation
from control_plane.domain.content import SEGMENT, key_of, references, stored_references
from control_plane.domain.effects import Pair, Reached
from control_plane.domain.link_view import Node, Nodes, Place, Seen, View, is_too_long
from control_plane.domain.secrecy import Warning  # noqa: A004 - the product's word for it
from shared.domain.entry import Kind
from shared.domain.references import MAX_FOLLOWED
from shared.domain.scope import Scope
from shared.wire.problem import Violation

_NAMED = 10
"""Dependants that one violation names."""
_LATER = "an environment that is registered later would get the default, or the baseline"


class Dependant(NamedTuple):
    """A config, or a segment, whose rules refer to what a change touches, maybe by way of others."""

    app_id: str | None
    environment: str | None
    scope: Scope
    key: str
    kind: str
    refers_to: str


class _Sides(NamedTuple):
    """What a place sees before and after, and the keys that operations touch there."""

    place: Place
    before: View
    after: View
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
        for place, pairs in self._places.items():
            where = _where(place, max(0, len(pairs) - 1))
            for found in self._of_place(place):
                if (found.pointer, found.detail) not in told:
                    told.add((found.pointer, found.detail))
                    yield Violation(found.pointer, f"{found.detail} in {where}")

    def unforeseen(self) -> Iterator[Warning]:
        """References that only the scopes of single environments answer: one that is registered later would not."""
        for scope in sorted({each.scope for _, each in self._operations if each.scope.environment is None}, key=str):
            place = (scope.app_id, None)
            view = View(self._after, place)
            for key, touching in sorted(self._touched.items()):
                lost = [ref for ref in view.seen(key).refs if not view.seen(key_of(ref)).answers(ref)]
                if lost and any(each.scope == scope for _, each in touching):
                    detail = f"{_why_not(lost[0], view.seen(key_of(lost[0])))} in {_where(place, 0)}: {_LATER}"
                    yield Warning(self._pointer(place, key, lost[0]), detail)

    def dependants(self, most: int) -> tuple[int, tuple[Dependant, ...]]:
        """What refers to the touched keys after the operations: how many there are, and the first of them."""
        total = 0
        found: list[Dependant] = []
        of_place = {place: self._depending(place) for place in self._places}
        for pair, place in sorted((pair, place) for place, pairs in self._places.items() for pair in pairs):
            total += len(of_place[place])
            first = of_place[place][: most - len(found)]
            found += [each._replace(app_id=pair[0], environment=pair[1]) for each in first]
        return total, tuple(found)

    def _depending(self, place: Place) -> list[Dependant]:
        view = View(self._after, place)
        waiting = [key for key, each in self._touched.items() if _reaches(each, place)]
        known = set(waiting)
        found = []
        for key in waiting:  # grows while it is gone through
            for other in view.referring.get(key, ()):
                seen = view.seen(other)
                found.append(Dependant(*place, seen.scopes[0], other, seen.kind or Kind.INHERIT, key))
                if other not in known:
                    known.add(other)
                    waiting.append(other)
        return found

    def _of_place(self, place: Place) -> Iterator[Violation]:
        touched = frozenset(key for key, each in self._touched.items() if _reaches(each, place))
        sides = _Sides(place, View(self._before, place), View(self._after, place), touched)
        for key in sorted(touched):
            yield from self._lost(sides, key)
            yield from self._left_behind(sides, key)
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

    def _left_behind(self, sides: _Sides, key: str) -> Iterator[Violation]:
        """What refers to a touched key and would no longer find what it means."""
        earlier, later = sides.before.seen(key), sides.after.seen(key)
        if earlier.means == later.means:
            return
        lost = [
            other
            for other in sides.after.referring.get(key, ())
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
        if is_too_long(key, sides.after) and not is_too_long(key, sides.before):
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


def _places(touched: Iterable[Scope], nodes: Nodes, known: Reached) -> dict[Place, list[Pair]]:
    """One place of each sort that sees the same, with all of its sort; and scopes that nobody sees for themselves."""
    scopes = set(touched)
    own = scopes | {scope for entries in nodes.values() for scope in entries}
    sorts: dict[object, list[Pair]] = defaultdict(list)
    for pair in known.by_any(scopes):
        sorts[pair[0] if Scope(pair[0]) in own else None, pair if Scope(*pair) in own else None].append(pair)
    places: dict[Place, list[Pair]] = {pairs[0]: pairs for pairs in sorts.values()}
    return places | {(scope.app_id, scope.environment): [] for scope in scopes if not known.by(scope)}


def _reaches(touching: Iterable[tuple[int, Operation]], place: Place) -> bool:
    app_id, environment = place
    return any(
        each.scope.app_id in {None, app_id} and each.scope.environment in {None, environment} for _, each in touching
    )


def _why_not(ref: str, target: Seen) -> str:
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

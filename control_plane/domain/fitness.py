"""Hold all that a change lets anybody get against the schemas: values, variants of flags, candidates of rollouts; pure."""

from collections.abc import Iterable, Iterator, Sequence

from control_plane.domain.change import Op, Operation
from control_plane.domain.content import member_of, yields
from control_plane.domain.effects import Difference, Seen
from control_plane.domain.schema import Checker
from control_plane.domain.unfit import Unfit
from shared.domain.scope import Scope
from shared.domain.secret_reference import mentions
from shared.wire.problem import Violation

_SECRET = (Violation("", "the sensitive value is not what its schema allows"),)


class Fitness:
    """Checks values; each value once per schema, however many environments see it."""

    def __init__(self, checkers: Sequence[Checker], operations: Sequence[Operation] = ()) -> None:
        self._checkers = checkers
        self._places = {(each.scope, each.key): (index, each) for index, each in enumerate(operations)}
        self._by_key: dict[str, list[tuple[int, Checker]]] = {}
        self._known: dict[tuple[int, str, bytes, bytes], tuple[Violation, ...]] = {}

    def of_all(self, differences: Iterable[Difference]) -> Iterator[Unfit]:
        """What is wrong with what is seen after a change."""
        for each in differences:
            if each.after is not None:
                yield from self.of(each.app_id, each.environment, each.key, each.after)

    def of(self, app_id: str, environment: str, key: str, seen: Seen) -> Iterator[Unfit]:
        """What is wrong with all that an app/environment can get of what it sees."""
        for index, checker in self._about(key):
            if checker.app_id is not None and checker.app_id != app_id:
                continue
            for each in _layers(seen):
                for found in self._violations(index, each):
                    operation = self._operation(app_id, environment, key, each, found)
                    yield Unfit(app_id, environment, key, found.pointer, found.detail, checker.schema, operation)

    def _about(self, key: str) -> list[tuple[int, Checker]]:
        about = self._by_key.get(key)
        if about is None:
            about = self._by_key[key] = [(at, each) for at, each in enumerate(self._checkers) if each.covers(key)]
        return about

    def _violations(self, index: int, seen: Seen) -> tuple[Violation, ...]:
        entry = seen.entry
        content = (index, entry.kind, entry.value, entry.rollout)
        known = self._known.get(content)
        if known is None:
            known = self._known[content] = tuple(self._found(index, seen))
        return _SECRET if known and entry.sensitive else known

    def _found(self, index: int, seen: Seen) -> Iterator[Violation]:
        entry, checker = seen.entry, self._checkers[index]
        for each in yields(entry.kind, entry.value, entry.rollout):
            if mentions(each.value):
                continue  # what a reference stands for is known to agents only
            for found in checker.violations(each.value):
                detail = f"{each.name}: {found.detail}" if each.name else found.detail
                yield Violation(each.pointer + found.pointer, detail)

    def _operation(self, app_id: str, environment: str, key: str, seen: Seen, found: Violation) -> str:
        """The pointer of the operation that leads to a value: the one that puts it, or else one that lets it show."""
        for scope in (seen.scope, Scope(app_id, environment), Scope(app_id), Scope()):
            if (place := self._places.get((scope, key))) is not None:
                index, operation = place
                return f"/operations/{index}{_member(operation, seen, found)}"
        return ""


def _layers(seen: Seen) -> Iterator[Seen]:
    """What is seen, and what is seen below it."""
    yield seen
    if seen.below is not None:
        yield from _layers(seen.below)


def _member(operation: Operation, seen: Seen, found: Violation) -> str:
    """The member of an operation that a violation is about: its key, if it does not put what is seen."""
    if operation.op not in {Op.PUT, Op.ROLLOUT} or operation.scope != seen.scope:
        return "/key"
    of_rollout = found.pointer.startswith("/rollout/")
    return found.pointer if of_rollout else f"/{member_of(operation.kind)}{found.pointer}"

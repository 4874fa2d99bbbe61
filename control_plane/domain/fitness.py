"""Hold the effective values of a change against their schemas, pure."""

from collections.abc import Iterable, Iterator, Sequence

from control_plane.domain.change import Op, Operation
from control_plane.domain.effects import Difference, Seen
from control_plane.domain.schema import Checker
from control_plane.domain.unfit import Unfit
from shared.domain.scope import Scope
from shared.wire.problem import Violation

_SECRET = (Violation("", "the sensitive value is not what its schema allows"),)


class Fitness:
    """Checks values; each value once per schema, however many environments see it."""

    def __init__(self, checkers: Sequence[Checker], operations: Sequence[Operation] = ()) -> None:
        self._checkers = checkers
        self._places = {(each.scope, each.key): (index, each) for index, each in enumerate(operations)}
        self._by_key: dict[str, list[tuple[int, Checker]]] = {}
        self._known: dict[tuple[int, bytes], tuple[Violation, ...]] = {}

    def of_all(self, differences: Iterable[Difference]) -> Iterator[Unfit]:
        """What is wrong with what is seen after a change."""
        for each in differences:
            if each.after is not None:
                yield from self.of(each.app_id, each.environment, each.key, each.after)

    def of(self, app_id: str, environment: str, key: str, seen: Seen) -> Iterator[Unfit]:
        """What is wrong with a value that an app/environment sees."""
        for index, checker in self._about(key):
            if checker.app_id is not None and checker.app_id != app_id:
                continue
            for found in self._violations(index, seen):
                operation = self._operation(app_id, environment, key, seen, found)
                yield Unfit(app_id, environment, key, found.pointer, found.detail, checker.schema, operation)

    def _about(self, key: str) -> list[tuple[int, Checker]]:
        about = self._by_key.get(key)
        if about is None:
            about = self._by_key[key] = [(at, each) for at, each in enumerate(self._checkers) if each.covers(key)]
        return about

    def _violations(self, index: int, seen: Seen) -> tuple[Violation, ...]:
        entry = seen.entry
        known = self._known.get((index, entry.value))
        if known is None:
            known = self._known[index, entry.value] = tuple(self._checkers[index].violations(entry.value))
        return _SECRET if known and entry.sensitive else known

    def _operation(self, app_id: str, environment: str, key: str, seen: Seen, found: Violation) -> str:
        """The pointer of the operation that leads to a value: the one that puts it, or else one that lets it show."""
        for scope in (seen.scope, Scope(app_id, environment), Scope(app_id), Scope()):
            if (place := self._places.get((scope, key))) is not None:
                index, operation = place
                puts = operation.op is Op.PUT and scope == seen.scope
                return f"/operations/{index}/value{found.pointer}" if puts else f"/operations/{index}/key"
        return ""

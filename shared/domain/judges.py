"""Operators prepared with their values: functions that judge one thing, fast, and never raise.

Of several values any will do, so that of several bounds only the weakest is kept.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from shared.domain.codec import Json
from shared.domain.moment import instant
from shared.domain.operators import is_number
from shared.domain.pattern import searcher
from shared.domain.semver import precedence

Judge: TypeAlias = Callable[[Json], bool]
"""Whether an operator holds for an attribute that is no list, or for one element of a list."""

_Place: TypeAlias = Callable[[Json], Any]
"""What something is compared by: an instant, a version's precedence; None if it is nothing of the kind."""


def judge_of(op: str, values: Sequence[Json]) -> Judge:
    """The judge of an operator; of one that is negated (`ne`, `not_in`), the judge of what it negates."""
    if op in _DIRECT:
        return _DIRECT[op](values)
    if op in _ORDERED:
        place, order = _ORDERED[op]
        return order(place, [place(each) for each in values])
    return _same(values)


def judge_any(judge: Judge, value: Json) -> bool:
    """Whether a judge says yes to something, or to any element of a list."""
    return any(map(judge, value)) if isinstance(value, (list, tuple)) else judge(value)


def is_there(value: Json) -> bool:
    """Whether there is anything, as `exists` asks."""
    return any(each is not None for each in value) if isinstance(value, (list, tuple)) else value is not None


def _same(values: Iterable[Json]) -> Judge:
    wanted = tuple(values)
    texts = frozenset(each for each in wanted if isinstance(each, str))
    booleans = frozenset(each for each in wanted if isinstance(each, bool))
    numbers = frozenset(each for each in wanted if is_number(each))

    def judge(value: Json) -> bool:
        if isinstance(value, str):
            return value in texts
        if isinstance(value, bool):
            return value in booleans
        return is_number(value) and value in numbers

    return judge


def _contains(values: Sequence[str]) -> Judge:
    if len(values) == 1:
        (part,) = values
        return lambda value: isinstance(value, str) and part in value
    return lambda value: isinstance(value, str) and any(part in value for part in values)


def _starts_with(values: Iterable[str]) -> Judge:
    starts = tuple(values)
    return lambda value: isinstance(value, str) and value.startswith(starts)


def _ends_with(values: Iterable[str]) -> Judge:
    ends = tuple(values)
    return lambda value: isinstance(value, str) and value.endswith(ends)


def _matches(values: Iterable[str]) -> Judge:
    searchers = [searcher(each) for each in values]
    return lambda value: isinstance(value, str) and any(found(value) for found in searchers)


def _more(values: Sequence[Json]) -> Judge:
    bound = min(values)
    return lambda value: (value.__class__ is int or value.__class__ is float) and value > bound


def _as_much(values: Sequence[Json]) -> Judge:
    bound = min(values)
    return lambda value: (value.__class__ is int or value.__class__ is float) and value >= bound


def _less(values: Sequence[Json]) -> Judge:
    bound = max(values)
    return lambda value: (value.__class__ is int or value.__class__ is float) and value < bound


def _no_more(values: Sequence[Json]) -> Judge:
    bound = max(values)
    return lambda value: (value.__class__ is int or value.__class__ is float) and value <= bound


_DIRECT: Mapping[str, Callable[[Sequence[Json]], Judge]] = {
    "contains": _contains,
    "starts_with": _starts_with,
    "ends_with": _ends_with,
    "matches": _matches,
    "gt": _more,
    "gte": _as_much,
    "lt": _less,
    "lte": _no_more,
}


def _version(value: Json) -> Any:
    return precedence(value) if isinstance(value, str) else None


def _above(place: _Place, bounds: Sequence[Any]) -> Judge:
    bound = min(bounds)
    return lambda value: (found := place(value)) is not None and found > bound


def _from(place: _Place, bounds: Sequence[Any]) -> Judge:
    bound = min(bounds)
    return lambda value: (found := place(value)) is not None and found >= bound


def _below(place: _Place, bounds: Sequence[Any]) -> Judge:
    bound = max(bounds)
    return lambda value: (found := place(value)) is not None and found < bound


def _up_to(place: _Place, bounds: Sequence[Any]) -> Judge:
    bound = max(bounds)
    return lambda value: (found := place(value)) is not None and found <= bound


def _at(place: _Place, places: Sequence[Any]) -> Judge:
    return lambda value: (found := place(value)) is not None and found in places


_ORDERED: Mapping[str, tuple[_Place, Callable[[_Place, Sequence[Any]], Judge]]] = {
    "semver_eq": (_version, _at),
    "semver_gt": (_version, _above),
    "semver_gte": (_version, _from),
    "semver_lt": (_version, _below),
    "semver_lte": (_version, _up_to),
    "before": (instant, _below),
    "after": (instant, _above),
}

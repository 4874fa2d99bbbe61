"""The operators of conditions: what each may be given, and the plain reading of what it says about an attribute.

`shared.domain.condition_compiler` has the fast form. An attribute is a text, a number, true, false, or a list of these;
null and an empty list are the same as no attribute at all. Nothing that an attribute may be makes an operator raise.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import ge, gt, le, lt
from typing import Any, TypeAlias, TypeGuard

from shared.domain.codec import Json
from shared.domain.moment import instant
from shared.domain.pattern import MAX_LENGTH, PatternError, searcher
from shared.domain.semver import precedence

MAX_TEXT = 1_024
"""Characters of a text that an attribute is compared with."""

Read: TypeAlias = Callable[[Json], str | None]
"""What is wrong with something that an operator is given; None if nothing is."""
Holds: TypeAlias = Callable[[Json, Json], bool]
"""Whether an operator holds between an attribute (or an element of one) and one of its values."""


@dataclass(frozen=True, slots=True)
class Operator:
    """What it may be given, and when it holds for one of its values.

    A negated one holds if it does for none of them, so also where there is no attribute.
    """

    read: Read
    holds: Holds
    negated: bool = False


def is_number(value: Json) -> TypeGuard[int | float]:
    """Whether a value is a number; true and false are none."""
    return value.__class__ is int or value.__class__ is float


def elements(value: Json) -> Sequence[Json]:
    """What an operator looks at: the elements of a list, or the value itself; nothing for null."""
    if isinstance(value, (list, tuple)):
        return [each for each in value if each is not None]
    return () if value is None else (value,)


def holds(op: str, value: Json, values: Sequence[Json]) -> bool:
    """The plain reading of `value op values`: it holds if it does for any element and any of the values."""
    if op == EXISTS:
        return len(elements(value)) > 0
    operator = OPERATORS[op]
    found = any(operator.holds(element, each) for element in elements(value) for each in values)
    return found is not operator.negated


def _same(found: Json, wanted: Json) -> bool:
    """Texts by their code points, numbers by what they are worth (1 is 1.0), true and false by themselves."""
    if isinstance(found, str) and isinstance(wanted, str):
        return found == wanted
    if isinstance(found, bool) and isinstance(wanted, bool):
        return found is wanted
    return is_number(found) and is_number(wanted) and found == wanted


def _of_texts(compare: Callable[[str, str], bool]) -> Holds:
    return lambda found, wanted: isinstance(found, str) and compare(found, wanted)


def _of_numbers(compare: Callable[[Any, Any], bool]) -> Holds:
    return lambda found, wanted: is_number(found) and compare(found, wanted)


def _of_versions(compare: Callable[[Any, Any], bool]) -> Holds:
    def between(found: Json, wanted: Json) -> bool:
        version = precedence(found) if isinstance(found, str) else None
        return version is not None and compare(version, precedence(wanted))

    return between


def _of_moments(compare: Callable[[Any, Any], bool]) -> Holds:
    def between(found: Json, wanted: Json) -> bool:
        moment = instant(found)
        return moment is not None and compare(moment, instant(wanted))

    return between


def _equal(found: object, wanted: object) -> bool:
    return found == wanted


def _read_scalar(value: Json) -> str | None:
    if isinstance(value, str):
        return _too_long(value)
    if isinstance(value, bool):
        return None
    if is_number(value):
        return _read_number(value)
    return "must be a text, a number, true or false; whether there is an attribute at all is asked by `exists`"


def _read_part(value: Json) -> str | None:
    if not isinstance(value, str) or not value:
        return "must be a text that is not empty: the empty one is part of every text"
    return _too_long(value)


def _read_number(value: Json) -> str | None:
    return (
        None if is_number(value) and math.isfinite(value) else "must be a number; a text is none, also if it has digits"
    )


def _read_version(value: Json) -> str | None:
    if isinstance(value, str) and precedence(value) is not None:
        return None
    return 'must be a semantic version, with all three numbers and no "v", such as "2.1.0" or "2.1.0-rc.1"'


def _read_moment(value: Json) -> str | None:
    if instant(value) is not None:
        return None
    return 'must be RFC 3339 with an offset, such as "2026-01-31T18:00:00+01:00", or whole unix milliseconds'


def _read_pattern(value: Json) -> str | None:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_LENGTH:
        return f"must be a regular expression of 1 to {MAX_LENGTH} characters"
    try:
        searcher(value)
    except PatternError as error:
        return f"is no regular expression of RE2 (which has no look-around and no back-references): {error}"
    return None


def _too_long(value: str) -> str | None:
    return f"has {len(value):,} characters, the limit is {MAX_TEXT:,}" if len(value) > MAX_TEXT else None


EXISTS = "exists"
"""The one operator that takes no values."""

OPERATORS: Mapping[str, Operator] = {
    "eq": Operator(_read_scalar, _same),
    "ne": Operator(_read_scalar, _same, negated=True),
    "in": Operator(_read_scalar, _same),
    "not_in": Operator(_read_scalar, _same, negated=True),
    "contains": Operator(_read_part, _of_texts(lambda found, wanted: wanted in found)),
    "starts_with": Operator(_read_part, _of_texts(str.startswith)),
    "ends_with": Operator(_read_part, _of_texts(str.endswith)),
    "matches": Operator(_read_pattern, _of_texts(lambda found, wanted: searcher(wanted)(found))),
    "gt": Operator(_read_number, _of_numbers(gt)),
    "gte": Operator(_read_number, _of_numbers(ge)),
    "lt": Operator(_read_number, _of_numbers(lt)),
    "lte": Operator(_read_number, _of_numbers(le)),
    "semver_eq": Operator(_read_version, _of_versions(_equal)),
    "semver_gt": Operator(_read_version, _of_versions(gt)),
    "semver_gte": Operator(_read_version, _of_versions(ge)),
    "semver_lt": Operator(_read_version, _of_versions(lt)),
    "semver_lte": Operator(_read_version, _of_versions(le)),
    "before": Operator(_read_moment, _of_moments(lt)),
    "after": Operator(_read_moment, _of_moments(gt)),
}
"""By their names, without `exists`."""

OF_TEXTS = frozenset({"eq", "ne", "in", "not_in", "contains", "starts_with", "ends_with", "matches"})
"""The operators that may hold for a text whatever it says."""
OF_NUMBERS = frozenset({"gt", "gte", "lt", "lte"})
"""The operators that never hold for a text."""

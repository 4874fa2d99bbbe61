"""Conditions: what must hold of who asks. Read strictly, compiled into closures, or read plainly with a trace."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from shared.domain.codec import Json
from shared.domain.context import EvaluationContext
from shared.domain.document import DocumentError, Fault
from shared.domain.references import References

Test: TypeAlias = Callable[[EvaluationContext, int, References], bool]
"""A compiled condition. Raises `UnresolvedError` where it refers to what is not there."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was read."""

    document: Json


def parse_condition(document: Json, pointer: str = "") -> Condition:
    """Read a condition.

    Raises:
        DocumentError: it is not one; every fault is told.
    """
    if not isinstance(document, dict) or len(document) == 0:
        raise DocumentError([Fault(pointer, "must be a condition")])
    match document:
        case {"all": [*parts]} | {"any": [*parts]}:
            for index, each in enumerate(parts):
                parse_condition(each, f"{pointer}/{index}")
        case {"not": part}:
            parse_condition(part, f"{pointer}/not")
        case {"segment": str()}:
            pass
        case {"attribute": str(), "op": "eq" | "in", "values": [*_]}:
            pass
        case _:
            raise DocumentError([Fault(pointer, "must be a condition")])
    return Condition(document)


def parse_segment(document: Json, pointer: str = "") -> Condition:
    """Read the document of a segment: its audience is `when`.

    Raises:
        DocumentError: it is not one; every fault is told.
    """
    if not isinstance(document, dict) or document.keys() != {"when"}:
        raise DocumentError([Fault(pointer, "must be an object with `when`")])
    return parse_condition(document["when"], f"{pointer}/when")


def compile_condition(condition: Condition) -> Test:
    """The closure that decides a condition."""
    return lambda context, now_ms, references: explain_condition(condition, context, now_ms, references)[0]


def explain_condition(
    condition: Condition, context: EvaluationContext, now_ms: int, references: References
) -> tuple[bool, Json]:
    """Whether a condition holds, and the trace of why."""
    matched = _holds(condition.document, context, now_ms, references)
    return matched, {"matched": matched}


def _holds(  # noqa: PLR0911 - one for each form
    document: Json, context: EvaluationContext, now_ms: int, references: References
) -> bool:
    match document:
        case {"all": parts}:
            return all(_holds(each, context, now_ms, references) for each in parts)
        case {"any": parts}:
            return any(_holds(each, context, now_ms, references) for each in parts)
        case {"not": part}:
            return not _holds(part, context, now_ms, references)
        case {"segment": key}:
            return references.segment(key, context, now_ms)
        case {"attribute": "groups", "values": values}:
            return not set(values).isdisjoint(context.groups)
        case {"attribute": "targetingKey", "values": values}:
            return context.targeting_key in values
        case {"attribute": name, "values": values}:
            return context.attributes.get(name) in values
        case _:
            return False

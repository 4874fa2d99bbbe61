"""The plain, slow reading of conditions, writing down what it looked at: for people, and to hold the compiled form against."""

from collections.abc import Sequence

from shared.domain.codec import Json, MalformedJsonError, decode, encode
from shared.domain.condition import GROUPS, All, AnyOf, Condition, Not, OfAttribute, OfConfig, OfMembers, OfSegment
from shared.domain.context import EvaluationContext
from shared.domain.members import digest
from shared.domain.operators import EXISTS, elements, holds
from shared.domain.references import References, UnresolvedError
from shared.domain.split import TARGETING_KEY

SHOWN = 10
"""Values of a condition that a trace shows; it says how many there are."""


def explain_condition(
    condition: Condition, context: EvaluationContext, now_ms: int, references: References
) -> tuple[bool, Json]:
    """Whether a condition holds, and the trace of why: the condition with what was found, as far as it was looked at.

    Raises:
        UnresolvedError: it refers to what is not there.
    """
    trace = _Reading(context, now_ms, references).read(condition)
    return trace["matched"], trace


class _Reading:
    """One reading of a condition for one who asks."""

    def __init__(self, context: EvaluationContext, now_ms: int, references: References) -> None:
        self._context, self._now, self._references = context, now_ms, references

    def read(self, condition: Condition) -> dict[str, Json]:  # noqa: PLR0911 - one for each form
        match condition:
            case OfAttribute(name, op, values):
                found = self._attribute(name)
                return {
                    "attribute": name,
                    **_shown(op, values),
                    "found": told(found),
                    "matched": holds(op, found, values),
                }
            case OfMembers(name, digests):
                found = self._attribute(name)
                matched = any(_digest(each) in digests for each in elements(found) if isinstance(each, str))
                return {"attribute": name, "members": len(digests), "found": told(found), "matched": matched}
            case OfSegment(key):
                return {"segment": key, "matched": self._references.segment(key, self._context, self._now)}
            case OfConfig(key, op, values):
                return {"config": key, **_shown(op, values), "matched": self._config(condition)}
            case All(parts):
                traces = self._until(parts, end=False)
                return {"all": traces, "matched": all(each["matched"] for each in traces)}
            case AnyOf(parts):
                traces = self._until(parts, end=True)
                return {"any": traces, "matched": any(each["matched"] for each in traces)}
            case Not(part):
                trace = self.read(part)
                return {"not": trace, "matched": not trace["matched"]}

    def _until(self, parts: Sequence[Condition], *, end: bool) -> list[dict[str, Json]]:
        traces = []
        for each in parts:
            traces.append(self.read(each))
            if traces[-1]["matched"] is end:
                break
        return traces

    def _attribute(self, name: str) -> Json:
        if name == TARGETING_KEY:
            return self._context.targeting_key
        return list(self._context.groups) if name == GROUPS else self._context.attributes.get(name)

    def _config(self, condition: OfConfig) -> bool:
        resolution = self._references.config(condition.key, self._context, self._now)
        if resolution is None:
            if condition.op == EXISTS:
                return False
            raise UnresolvedError
        try:
            return holds(condition.op, decode(resolution.value), condition.values)
        except MalformedJsonError as error:
            raise UnresolvedError from error


def told(found: Json) -> Json:
    """What an attribute is; as source text where JSON cannot say it, such as half of a surrogate pair."""
    try:
        encode(found)
    except TypeError:
        return ascii(found)
    return found


def _shown(op: str, values: Sequence[Json]) -> dict[str, Json]:
    if op == EXISTS:
        return {"op": op}
    shown: dict[str, Json] = {"op": op, "values": list(values[:SHOWN])}
    return shown | {"of": len(values)} if len(values) > SHOWN else shown


def _digest(text: str) -> int | None:
    try:
        return digest(text)
    except UnicodeEncodeError:
        return None

"""Which agents may serve a candidate to anybody, as far as what an agent knows of itself tells."""

from collections.abc import Callable

from shared.domain.bucketing import BUCKETINGS
from shared.domain.condition import All, AnyOf, Condition, Not, OfAttribute, OfMembers
from shared.domain.condition_compiler import compile_condition
from shared.domain.context import EvaluationContext
from shared.domain.exposure import INSTANCE, INSTANCE_ATTRIBUTE, Exposure
from shared.domain.program import Program

_AGENT = "agent."
"""What the names of attributes begin with that an agent says of itself."""
_ALWAYS, _NEVER = All(()), AnyOf(())
_NOTHING = Program()


def aim(exposure: Exposure, now_ms: int) -> Callable[[EvaluationContext], bool]:
    """Whether an agent, by its own context, may serve the candidate to anybody now.

    What is asked of users may hold for one of them, so only what is asked of agents rules any out: their labels, and
    the bucket of their instance where instances are what is exposed.
    """
    test = None if exposure.when is None else compile_condition(_possible(exposure.when, wanted=True))
    if exposure.unit != INSTANCE:
        return lambda own: test is None or test(own, now_ms, _NOTHING)
    bucket, weight = BUCKETINGS[exposure.bucketing](exposure.salt), exposure.weight(now_ms)

    def aims(own: EvaluationContext) -> bool:
        instance = own.attributes.get(INSTANCE_ATTRIBUTE)
        return isinstance(instance, str) and bucket(instance) < weight and (test is None or test(own, now_ms, _NOTHING))

    return aims


def _possible(condition: Condition, *, wanted: bool) -> Condition:
    """The condition as if whatever no agent decides were as it is wanted."""
    match condition:
        case All(parts):
            return All(tuple(_possible(each, wanted=wanted) for each in parts))
        case AnyOf(parts):
            return AnyOf(tuple(_possible(each, wanted=wanted) for each in parts))
        case Not(part):
            return Not(_possible(part, wanted=not wanted))
        case OfAttribute(attribute) | OfMembers(attribute) if attribute.startswith(_AGENT):
            return condition
        case _:
            return _ALWAYS if wanted else _NEVER

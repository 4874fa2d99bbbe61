"""Which agents a step means: those that may serve its candidate, as far as what they report tells."""

from collections.abc import Callable

from control_plane.domain.gates.trial import anybody
from shared.domain.bucketing import BUCKETINGS
from shared.domain.condition import All, AnyOf, Condition, Not, OfAttribute, OfMembers
from shared.domain.condition_compiler import Test, compile_condition
from shared.domain.context import EvaluationContext
from shared.domain.exposure import INSTANCE, INSTANCE_ATTRIBUTE, Exposure
from shared.domain.program import Program
from shared.wire.report import Report

_AGENT = "agent."
"""What the names of attributes begin with that an agent says of itself."""
_ALWAYS, _NEVER = All(()), AnyOf(())
_NOTHING = Program()


def aim(exposure: Exposure, now_ms: int) -> Callable[[Report], bool]:
    """Whether an agent may serve the candidate to anybody now.

    What is asked of users may hold for one of them, so only what is asked of agents rules any out: their labels, and
    the bucket of their instance where instances are what is exposed.
    """
    test = None if exposure.when is None else compile_condition(_possible(exposure.when, wanted=True))
    if exposure.unit != INSTANCE:
        return anybody if test is None else lambda report: _holds(test, report, now_ms)
    bucket, weight = BUCKETINGS[exposure.bucketing](exposure.salt), exposure.weight(now_ms)
    return lambda report: bucket(report.instance) < weight and (test is None or _holds(test, report, now_ms))


def _holds(test: Test, report: Report, now_ms: int) -> bool:
    labels = {f"{_AGENT}label.{name}": value for name, value in report.labels.items()}
    itself = {
        INSTANCE_ATTRIBUTE: report.instance,
        f"{_AGENT}app": report.app_id,
        f"{_AGENT}environment": report.environment,
    }
    return test(EvaluationContext(attributes={**labels, **itself}), now_ms, _NOTHING)


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

"""Which agents a step means: those that may serve its candidate, as far as what they report tells."""

from collections.abc import Callable

from shared.domain.aim import aim as aim_at
from shared.domain.context import EvaluationContext
from shared.domain.exposure import Exposure
from shared.wire.report import Report


def aim(exposure: Exposure, now_ms: int) -> Callable[[Report], bool]:
    """Whether an agent may serve the candidate to anybody now, by its report."""
    aims = aim_at(exposure, now_ms)
    return lambda report: aims(reported_context(report))


def reported_context(report: Report) -> EvaluationContext:
    """What an agent knows of itself, as its rules see it."""
    labels = {f"agent.label.{name}": value for name, value in report.labels.items()}
    itself = {"agent.instance": report.instance, "agent.app": report.app_id, "agent.environment": report.environment}
    return EvaluationContext(attributes={**labels, **itself})

"""Gates on what others know: a number of a Prometheus, the word of a webhook."""

from collections.abc import Iterator
from math import isfinite, isnan

from control_plane.domain.gates.measurement import Result
from control_plane.domain.gates.spec import COMPARISONS, Gate, Metric, Webhook
from control_plane.domain.gates.trial import Trial
from control_plane.ports.gates import Metrics, Silence, Webhooks
from control_plane.services.gates.finding import Finding
from shared.domain.codec import Json
from shared.wire.problem import Violation

_SYMBOLS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">=", "eq": "=", "ne": "!="}


class OutsideJudge:
    """Asks, and takes for inconclusive whatever is no clear answer."""

    def __init__(self, metrics: Metrics, webhooks: Webhooks) -> None:
        self._metrics, self._webhooks = metrics, webhooks

    def violations(self, gate: Gate, pointer: str) -> Iterator[Violation]:
        """Whom a gate would ask in vain."""
        if isinstance(gate, Metric) and not self._metrics.knows(gate.source):
            yield Violation(f"{pointer}/source", "is no Prometheus that TRIMTAB_PROMETHEUS_URL names")
        if isinstance(gate, Webhook) and not self._webhooks.allows(gate.url):
            yield Violation(f"{pointer}/url", "begins with none of the URLs of TRIMTAB_WEBHOOK_URLS")

    async def metric(self, gate: Metric) -> Finding:
        """Whether a number is as it should be."""
        number = await self._metrics.number(gate.source, gate.query)
        wanted = f"{_SYMBOLS[gate.op]} {gate.value:g}"
        if isinstance(number, Silence):
            return Finding.unclear(f"Prometheus: {number.detail}", wanted=wanted)
        numbers = {"value": number if isfinite(number) else str(number), "wanted": wanted}
        if isnan(number):
            return Finding.unclear("the query gives no number (NaN)", **numbers)
        if COMPARISONS[gate.op](number, gate.value):
            return Finding.passed(f"the number is {wanted}", **numbers)
        return Finding.failed(f"the number is {number:g}, not {wanted}", **numbers)

    async def webhook(self, trial: Trial, index: int, gate: Webhook, now_ms: int) -> Finding:
        """What a webhook says."""
        answer = await self._webhooks.ask(gate.url, _question(trial, index, now_ms))
        if isinstance(answer, Silence):
            return Finding(Result.INCONCLUSIVE, f"the webhook: {answer.detail}")
        return Finding(answer.result, answer.detail or f"the webhook said {answer.result}")


def _question(trial: Trial, index: int, now_ms: int) -> dict[str, Json]:
    return {
        "rollout": str(trial.rollout),
        "app_id": trial.scope.app_id,
        "environment": trial.scope.environment,
        "key": trial.key,
        "step": trial.step,
        "gate": index,
        "revision": trial.revision,
        "since": trial.since_ms,
        "at": now_ms,
    }

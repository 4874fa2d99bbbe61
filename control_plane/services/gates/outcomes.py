"""The gate on outcomes: the candidate's failure rate against that of the baseline in the same seconds."""

from math import exp, log

from control_plane.domain.gates.comparison import Comparison
from control_plane.domain.gates.evalue import Tally
from control_plane.domain.gates.measurement import latest
from control_plane.domain.gates.spec import Outcomes
from control_plane.domain.gates.trial import Trial
from control_plane.ports.evidence import Evidence
from control_plane.services.gates.finding import Finding
from shared.domain.codec import Json

SLACK_MS = 1_000
"""For how long after its end a block is left alone: the clocks of replicas differ a little."""


class OutcomesJudge:
    """Goes on from what the last measurement knew, so that no block is kept for longer than to be read once."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    async def outcomes(self, trial: Trial, index: int, gate: Outcomes, now_ms: int) -> Finding:
        """What all outcomes of this step show.

        Raises:
            UnavailableError: they cannot be read.
        """
        last = latest(trial.measurements, index)
        known = last.numbers.get("state") if last is not None else None
        before = Comparison(trial.since_ms) if known is None else Comparison.from_document(known)
        blocks = await self._evidence.blocks(trial.rollout, before.until_ms, now_ms - SLACK_MS)
        mine = [each for each in blocks if each.at_ms >= trial.since_ms]
        return judged(gate, before.after(mine, gate.tolerance, gate.margin))


def judged(gate: Outcomes, compared: Comparison) -> Finding:
    """What a comparison means to a gate."""
    candidate, baseline = compared.candidate, compared.baseline
    numbers = _numbers(gate, compared)
    if compared.worse.log_value >= -log(gate.false_alarm):
        return Finding.failed("the candidate fails more often than the baseline", **numbers)
    if min(candidate.total, baseline.total) < gate.minimum:
        return Finding.unclear("the sample is too small", **numbers)
    if candidate.rate > baseline.rate + gate.margin:
        return Finding.unclear("the candidate fails more often, which may still be chance", **numbers)
    if gate.false_pass is not None and compared.safe.log_value < -log(gate.false_pass):
        return Finding.unclear("it is not shown yet that the candidate is hardly worse", **numbers)
    return Finding.passed("the candidate does not fail more often than it may", **numbers)


def _numbers(gate: Outcomes, compared: Comparison) -> dict[str, Json]:
    return {
        "candidate": _arm(compared.candidate),
        "baseline": _arm(compared.baseline),
        "minimum": gate.minimum,
        "evidence": _rounded(exp(compared.worse.log_value)),
        "fails_at": _rounded(1 / gate.false_alarm),
        "evidence_safe": _rounded(exp(compared.safe.log_value)),
        "passes_at": None if gate.false_pass is None else _rounded(1 / gate.false_pass),
        "state": compared.document(),
    }


def _arm(tally: Tally) -> dict[str, Json]:
    return {"succeeded": tally.succeeded, "failed": tally.failed, "rate": _rounded(tally.rate)}


def _rounded(number: float) -> float:
    return float(f"{number:.4g}")

"""All judges behind one port: each gate goes to the one that knows its kind."""

from collections.abc import Iterator
from typing import Self

from control_plane.domain.errors import UnavailableError
from control_plane.domain.gates.measurement import Measurement
from control_plane.domain.gates.spec import Acks, Approval, Bake, Gate, Health, Metric, Outcomes, Webhook
from control_plane.domain.gates.trial import Trial
from control_plane.ports.evidence import Evidence
from control_plane.ports.gates import Metrics, Webhooks
from control_plane.ports.lossy import Presence
from control_plane.services.gates import waiting
from control_plane.services.gates.asking import OutsideJudge
from control_plane.services.gates.finding import Finding
from control_plane.services.gates.fleet import FleetJudge
from control_plane.services.gates.live import LiveAgents
from control_plane.services.gates.outcomes import OutcomesJudge
from shared.runtime.clock import Clock
from shared.wire.problem import Violation


class Judges:
    """Measures every kind of gate."""

    def __init__(self, fleet: FleetJudge, outcomes: OutcomesJudge, outside: OutsideJudge) -> None:
        self._fleet, self._outcomes, self._outside = fleet, outcomes, outside

    @classmethod
    def over(cls, presence: Presence, evidence: Evidence, metrics: Metrics, webhooks: Webhooks, clock: Clock) -> Self:
        """Judges over what agents report, and over services outside."""
        fleet = FleetJudge(LiveAgents(presence, clock), evidence)
        return cls(fleet, OutcomesJudge(evidence), OutsideJudge(metrics, webhooks))

    def violations(self, gate: Gate, pointer: str) -> Iterator[Violation]:
        return self._outside.violations(gate, pointer)

    async def measure(self, trial: Trial, index: int, gate: Gate, now_ms: int) -> Measurement:
        try:
            found = await self._find(trial, index, gate, now_ms)
        except UnavailableError as error:
            found = Finding.unclear(f"{error.dependency} is away")
        return Measurement(index, now_ms, found.result, found.detail, found.numbers)

    async def _find(self, trial: Trial, index: int, gate: Gate, now_ms: int) -> Finding:
        match gate:
            case Bake():
                return waiting.bake(trial, gate, now_ms)
            case Approval():
                return waiting.approval(trial, gate)
            case Metric():
                return await self._outside.metric(gate)
            case Webhook():
                return await self._outside.webhook(trial, index, gate, now_ms)
            case _:
                return await self._of_agents(trial, index, gate, now_ms)

    async def _of_agents(self, trial: Trial, index: int, gate: Acks | Health | Outcomes, now_ms: int) -> Finding:
        match gate:
            case Acks():
                return await self._fleet.acks(trial, gate)
            case Health():
                return await self._fleet.health(trial, gate)
            case Outcomes():
                return await self._outcomes.outcomes(trial, index, gate, now_ms)

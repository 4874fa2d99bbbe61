"""Gates on what agents say of themselves: whether they applied the step, and whether their applications are healthy."""

from collections.abc import Iterable

from control_plane.domain.gates.evidence import InstanceHealth, Status
from control_plane.domain.gates.spec import Acks, Health
from control_plane.domain.gates.trial import Trial
from control_plane.ports.evidence import Evidence
from control_plane.ports.lossy import AgentPresence
from control_plane.services.fleet import has_applied, refusal, rejects
from control_plane.services.gates.finding import MAX_NAMED, Finding
from control_plane.services.gates.live import LiveAgents


class FleetJudge:
    """Counts live agents."""

    def __init__(self, agents: LiveAgents, evidence: Evidence) -> None:
        self._agents, self._evidence = agents, evidence

    async def acks(self, trial: Trial, gate: Acks) -> Finding:
        """Whether the step has arrived.

        Raises:
            UnavailableError: the reports cannot be read.
        """
        live = [each for each in await self._agents.of(trial.scope) if trial.aims_at(each.report)]
        behind = [each for each in live if not has_applied(trial.revision, (trial.scope,), each.report, trial.key)]
        rejecting = [each for each in behind if rejects(trial.revision, each.report, trial.key)]
        numbers = {"agents": len(live), "applied": len(live) - len(behind), "rejected": len(rejecting)}
        if rejecting:
            return Finding.failed(
                f"agents rejected it: {_named(rejecting)}", **numbers, reasons=_reasons(trial, rejecting)
            )
        if len(live) < gate.min_agents:
            return Finding.unclear("there are not enough live agents", **numbers)
        if len(live) - len(behind) < gate.share * len(live):
            return Finding.unclear("not enough agents have applied it yet", **numbers)
        return Finding.passed("enough agents have applied it", **numbers)

    async def health(self, trial: Trial, gate: Health) -> Finding:
        """Whether applications are healthy that got the candidate.

        One that was unhealthy counts until it is healthy again, also when its agent is gone. One that is healthy counts
        as long as its agent lives.

        Raises:
            UnavailableError: the reports cannot be read.
        """
        said = [each for each in await self._evidence.health(trial.rollout) if each.health.step >= trial.step]
        bad, good, unknown = (_of(status, said) for status in (Status.UNHEALTHY, Status.HEALTHY, Status.UNKNOWN))
        numbers = {"unhealthy": len(bad), "healthy": len(good), "unknown": len(unknown)}
        if len(bad) > gate.max_unhealthy:
            reasons = {each.instance: each.health.detail for each in bad[:MAX_NAMED]}
            return Finding.failed(f"applications are unhealthy: {_instances(bad)}", **numbers, reasons=reasons)
        live = {
            (each.report.app_id, each.report.environment, each.report.instance)
            for each in await self._agents.of(trial.scope)
        }
        healthy = [each for each in good if (each.app_id, each.environment, each.instance) in live]
        numbers["healthy"] = len(healthy)
        if len(healthy) < gate.min_agents:
            return Finding.unclear("not enough applications have shown that they are healthy", **numbers)
        if len(bad) + len(unknown) > gate.max_unhealthy:
            return Finding.unclear("of some applications nobody knows yet", **numbers)
        return Finding.passed("the applications are healthy", **numbers)


def _of(status: Status, said: Iterable[InstanceHealth]) -> list[InstanceHealth]:
    return [each for each in said if each.health.status is status]


def _named(agents: list[AgentPresence]) -> str:
    return _some([each.report.instance for each in agents])


def _instances(said: list[InstanceHealth]) -> str:
    return _some([each.instance for each in said])


def _some(names: list[str]) -> str:
    more = len(names) - MAX_NAMED
    return ", ".join(names[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def _reasons(trial: Trial, agents: list[AgentPresence]) -> dict[str, str]:
    return {each.report.instance: refusal(trial.revision, each.report, trial.key) or "" for each in agents[:MAX_NAMED]}

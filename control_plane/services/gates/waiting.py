"""Gates that wait: for time to pass, and for people."""

from control_plane.domain.gates.spec import Approval, Bake
from control_plane.domain.gates.trial import Trial
from control_plane.domain.policy import APPROVERS
from control_plane.services.gates.finding import Finding


def bake(trial: Trial, gate: Bake, now_ms: int) -> Finding:
    """Whether the step has lasted long enough."""
    lasted = (now_ms - trial.since_ms) / 1000
    if lasted < gate.seconds:
        return Finding.unclear("it is not time yet", seconds=lasted)
    return Finding.passed("it has lasted long enough", seconds=lasted)


def approval(trial: Trial, gate: Approval) -> Finding:
    """Whether enough people said yes. Those who wrote a part of it do not count, nor does one person twice."""
    roles = frozenset(gate.roles or APPROVERS)
    given = {who for who, role in trial.approvals if role in roles and who not in trial.authors}
    numbers = {"approvals": len(given), "needed": gate.count}
    if len(given) < gate.count:
        return Finding.unclear(f"it waits for approvals by {' or '.join(sorted(roles))}", **numbers)
    return Finding.passed("it is approved", **numbers)

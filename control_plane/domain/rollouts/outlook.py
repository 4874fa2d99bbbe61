"""How a rollout goes, as far as it can be told: its weights, passed, present and to come, with the moments they are due.

What is to come is told for the case that nothing holds it: every gate passes at once, but for what has to bake.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from control_plane.domain.gates.spec import Bake, Gate
from control_plane.domain.rollouts import machine
from control_plane.domain.rollouts.exposure import exposure
from control_plane.domain.rollouts.plan import Step
from control_plane.domain.rollouts.rollout import Rollout
from control_plane.domain.rollouts.timeline import Moment
from control_plane.domain.rollouts.words import EXPOSED, Phase

When: TypeAlias = Literal["passed", "current", "ahead"]


@dataclass(frozen=True, slots=True)
class Row:
    """A weight of a step. `at_ms` None: when it was is in the history. `gates` come after it, before the next step.

    `labels`: agents that have all labels of one of these; none: whoever the weight reaches.
    """

    step: int
    weight: int
    at_ms: int | None
    when: When
    gates: tuple[Gate, ...] = ()
    labels: tuple[dict[str, str], ...] = field(default=(), hash=False)
    exposure: bytes = b""


def outlook(rollout: Rollout, now_ms: int, *, exposures: bool = False) -> list[Row]:
    """Each weight of the plan, in order. Of one that has ended, what it had come to is told as passed.

    With `exposures`, what agents would hold then is in each row that is not passed.
    """
    steps = rollout.plan.steps
    if rollout.phase is Phase.PENDING:
        begun = machine.start(rollout, _starts(rollout, now_ms)).rollout
        return list(_ahead(begun, "ahead", now_ms, exposures=exposures))
    reached = len(steps) if rollout.phase is Phase.COMPLETED else rollout.step
    rows = [row for index, step in enumerate(steps[:reached]) for row in _bare(index, step, "passed")]
    if rollout.phase in EXPOSED:
        rows += _ahead(rollout, "current", now_ms, exposures=exposures)
    else:
        rows += [row for index, step in enumerate(steps) if index >= reached for row in _bare(index, step, "ahead")]
    return rows


def _starts(rollout: Rollout, now_ms: int) -> int:
    return now_ms if rollout.start_at_ms is None else max(now_ms, rollout.start_at_ms)


def _bare(index: int, step: Step, when: When) -> Iterator[Row]:
    """The weights of a step, without the moments of any."""
    last = len(step.points) - 1
    for at, point in enumerate(step.points):
        yield Row(index, point.weight, point.at_ms, when, step.gates if at == last else (), _labels(step))


def _ahead(rollout: Rollout, when: When, now_ms: int, *, exposures: bool) -> Iterator[Row]:
    """The present step and those after it."""
    going, word = rollout, when
    if going.paused_ms is not None:
        going = machine.resume(going, now_ms, "").rollout
    while True:
        yield from _of_step(going, word, exposure(going) if exposures else b"")
        if going.step + 1 == len(going.plan.steps):
            return
        going = machine.gone_on(going, _free_ms(going, now_ms))
        word = "ahead"


def _of_step(going: Rollout, when: When, held: bytes) -> Iterator[Row]:
    step = going.plan.steps[going.step]
    moments = _own(going)
    for index, moment in enumerate(moments):
        gates = step.gates if index + 1 == len(moments) else ()
        yield Row(going.step, moment.weight, moment.at_ms, when, gates, _labels(step), held)


def _own(going: Rollout) -> Sequence[Moment]:
    """The moments of a step, without the weight that it took over from the step before."""
    count = len(going.plan.steps[going.step].points)
    return going.timeline[-count:]


def _free_ms(going: Rollout, now_ms: int) -> int:
    """When the next step begins at the soonest."""
    gates = going.plan.steps[going.step].gates
    baked = max((round(gate.seconds * 1_000) for gate in gates if isinstance(gate, Bake)), default=0)
    since = going.settled_ms if going.gates_ms is None else going.gates_ms
    return max(now_ms, going.settled_ms, since + baked)


def _labels(step: Step) -> tuple[dict[str, str], ...]:
    return tuple(dict(each) for each in step.labels)

"""Measure the gates of a rollout's step when they are due, and say what all measurements have come to.

Gates are looked at from the beginning of a step, so that a clear failure does not wait for its end; whether they pass is
asked only once the step has its weight. What was measured is remembered here, and kept in the rollout's history.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from control_plane.domain.errors import UnavailableError
from control_plane.domain.gates.aim import aim
from control_plane.domain.gates.judging import Judgement, Verdict, judge, judge_step, urgent
from control_plane.domain.gates.measurement import Measurement, latest, recorded, remembered
from control_plane.domain.gates.spec import Approval, Bake, Gate
from control_plane.domain.gates.trial import Trial
from control_plane.domain.rollouts.exposure import exposure
from control_plane.domain.rollouts.rollout import Rollout
from control_plane.domain.rollouts.words import Phase
from control_plane.domain.transition import StoredRollout
from control_plane.ports.gates import Judge
from control_plane.ports.rollouts import Rollouts as Store
from control_plane.services.gates.evidences import Evidences
from shared.domain.codec import Json, decode
from shared.domain.exposure import parse_exposure

KEPT_EVENTS = 500
_AGAIN_MS = 30_000
"""How often a run of equal measurements is stored again, longer each time."""
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Seen:
    """What a step's gates have come to, and the last measurement of each as evidence."""

    judgement: Judgement
    evidence: Mapping[str, Json]


@dataclass(slots=True)
class _Memory:
    """The measurements of one step's gates since they were begun (`of`), and when each was stored last."""

    of: int
    measurements: tuple[Measurement, ...] = ()
    stored: dict[tuple[int, int], int] = field(default_factory=dict)
    error: str = ""


class Looking:
    """Remembers what the gates of each unfinished rollout showed."""

    keep = KEPT_EVENTS

    def __init__(self, store: Store, judge: Judge, evidence: Evidences) -> None:
        self._store, self._judge, self._evidence = store, judge, evidence
        self._memories: dict[UUID, _Memory] = {}

    def forget_all_but(self, rollouts: Container[UUID]) -> None:
        """Forget those that are over."""
        self._memories = {each: memory for each, memory in self._memories.items() if each in rollouts}

    def is_news(self, stored: StoredRollout, error: str) -> bool:
        """Whether this is the first time in a row that a rollout does not go on for this reason."""
        memory = self._memories.setdefault(stored.id, _Memory(-1))
        known, memory.error = memory.error, error
        return known != error

    async def over(self, rollout: Rollout) -> None:
        """Nobody will judge by what agents said of it any more."""
        self._memories.pop(rollout.id, None)
        try:
            await self._evidence.forget(rollout.id)
        except UnavailableError:
            return  # it is forgotten by itself after a while

    async def at(self, stored: StoredRollout, rollout: Rollout, now_ms: int, *, alarmed: bool) -> Seen:
        """Measure what is due now, and judge."""
        gates = rollout.plan.steps[rollout.step].gates
        since_ms = began_ms(rollout)
        memory = await self._memory(rollout, since_ms)
        wanted = {*_judged(rollout, memory.measurements, now_ms).due, *(urgent(gates) if alarmed else ())}
        trial = _trial(rollout, since_ms, memory.measurements)
        for index in sorted(wanted):
            measured = await self._judge.measure(trial, index, gates[index], now_ms)
            memory.measurements = recorded(memory.measurements, measured)
        await self._keep(stored, memory)
        judgement = _judged(rollout, memory.measurements, now_ms)
        return Seen(judgement, _evidence(gates, memory.measurements))

    async def _memory(self, rollout: Rollout, since_ms: int) -> _Memory:
        memory = self._memories.get(rollout.id)
        if memory is None or memory.of != since_ms:
            memory = self._memories[rollout.id] = _Memory(since_ms, await self._stored(rollout, since_ms))
        return memory

    async def _stored(self, rollout: Rollout, since_ms: int) -> tuple[Measurement, ...]:
        """What a leader before this one measured."""
        found: list[Json] = []
        cursor: str | None = None
        while True:
            page = await self._store.events(rollout.id, limit=_PAGE, cursor=cursor)
            found += [
                each.detail for each in page.items if each.action == "measured" and each.detail.get("of") == since_ms
            ]
            cursor = page.next_cursor
            if cursor is None or any(each.action not in {"measured", "approved"} for each in page.items):
                return remembered(reversed(found))

    async def _keep(self, stored: StoredRollout, memory: _Memory) -> None:
        """Store what differs from before, and of what goes on, how long it does, now and then."""
        news = [
            each
            for each in memory.measurements
            if each.at_ms - memory.stored.get((each.gate, each.since_ms), -_AGAIN_MS) >= _AGAIN_MS
        ]
        if news:
            await self._store.measured(stored, [each.document() | {"of": memory.of} for each in news], self.keep)
            memory.stored |= {(each.gate, each.since_ms): each.at_ms for each in news}


def began_ms(rollout: Rollout) -> int:
    """When the gates were begun: with the step, and anew when it has its weight."""
    return rollout.began_ms if rollout.gates_ms is None else rollout.gates_ms


def _judged(rollout: Rollout, measurements: Sequence[Measurement], now_ms: int) -> Judgement:
    """What the gates have come to. While the step is on its way, or paused, they can only fail, and by nobody's patience."""
    gates, since_ms = rollout.plan.steps[rollout.step].gates, began_ms(rollout)
    if rollout.phase is Phase.WAITING:
        return judge_step(gates, measurements, since_ms, now_ms)
    known = [
        judge(_patient(gate), [each for each in measurements if each.gate == index], since_ms, now_ms, index)
        for index, gate in enumerate(gates)
        if not isinstance(gate, (Bake, Approval))
    ]
    failed = [judged.reason for judged in known if judged.verdict is Verdict.FAILED]
    due_ms = min((judged.due_ms for judged in known), default=rollout.settled_ms)
    due = tuple(index for judged in known for index in judged.due)
    return Judgement(Verdict.FAILED if failed else Verdict.OPEN, "; ".join(failed), due, due_ms)


def _patient(gate: Gate) -> Gate:
    return replace(gate, terms=replace(gate.terms, timeout=None))


def _trial(rollout: Rollout, since_ms: int, measurements: tuple[Measurement, ...]) -> Trial:
    return Trial(
        rollout=rollout.id,
        scope=rollout.scope,
        key=rollout.key,
        step=rollout.step,
        revision=rollout.revision,
        since_ms=since_ms,
        authors=frozenset({rollout.author}),
        approvals=tuple((each.principal, each.role) for each in rollout.approvals if each.step == rollout.step),
        aims_at=aim(parse_exposure(decode(exposure(rollout))), rollout.settled_ms),
        measurements=measurements,
    )


def _evidence(gates: Sequence[Gate], measurements: Sequence[Measurement]) -> dict[str, Json]:
    shown = ((gate, latest(measurements, index)) for index, gate in enumerate(gates))
    return {"gates": [{"type": gate.TYPE} | each.document() for gate, each in shown if each is not None]}

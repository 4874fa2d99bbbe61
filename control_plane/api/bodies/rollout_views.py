"""Rollouts as answers show them: where one is, what it waits for, its numbers, and what happened to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

from control_plane.api.bodies.configs import shown
from control_plane.api.bodies.contents import shortened
from control_plane.domain.gates.evalue import Tally
from control_plane.domain.gates.evidence import Status
from control_plane.domain.gates.measurement import Measurement, Result
from control_plane.domain.gates.spec import Gate
from control_plane.domain.rollouts.outlook import Row, When
from control_plane.domain.rollouts.rollout import Given, Rollout
from control_plane.domain.rollouts.words import Action, AtEnd, Outcome, Phase, Strategy
from control_plane.domain.transition import RolloutEvent, StoredRollout
from control_plane.services.rollouts.showing import Numbers, Standing
from shared.domain.bucketing import WHOLE
from shared.domain.scope import Level


@dataclass(frozen=True, slots=True)
class RolloutSummary:
    """A rollout in a list. `step` counts from 0, of `steps`; `weight` is how many of 100,000 are exposed now.

    `version` counts what happened to it, and is its ETag. `revision` is that of its last change, null before the first.
    """

    id: UUID
    app_id: str | None
    environment: str | None
    scope: Level
    key: str
    kind: str
    strategy: Strategy
    phase: Phase
    step: int
    steps: int
    weight: int
    outcome: Outcome | None
    reason: str
    message: str
    labels: Mapping[str, str]
    version: int
    revision: int | None
    created_at: datetime
    created_by: str
    updated_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, stored: StoredRollout, rollout: Rollout, now_ms: int) -> Self:
        """Show a rollout."""
        return cls(**_summary(stored, rollout, now_ms))


@dataclass(frozen=True, slots=True)
class MeasurementView:
    """What a gate showed last: this result `count` times in a row since `since`."""

    at: datetime
    since: datetime
    count: int
    result: Result
    detail: str
    numbers: Mapping[str, Any]

    @classmethod
    def of(cls, measured: Measurement) -> Self:
        """Show a measurement."""
        return cls(
            moment(measured.at_ms),
            moment(measured.since_ms),
            measured.count,
            measured.result,
            measured.detail,
            {name: value for name, value in measured.numbers.items() if name != "state"},
        )


@dataclass(frozen=True, slots=True)
class GateView:
    """A gate as it was asked for, with its defaults. `latest` is null unless it was measured in the present step."""

    gate: Mapping[str, Any]
    latest: MeasurementView | None

    @classmethod
    def of(cls, gate: Gate, latest: Measurement | None = None) -> Self:
        """Show a gate."""
        return cls(gate.document(), None if latest is None else MeasurementView.of(latest))


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A weight of the plan. `at` is when it begins, at the soonest if a gate comes before it; null: see the events.

    `labels`: only agents that have all labels of one of these. `gates` come after it.
    """

    step: int
    weight: int
    at: datetime | None
    state: When
    labels: tuple[Mapping[str, str], ...]
    gates: tuple[GateView, ...]

    @classmethod
    def of(cls, row: Row, latest: Mapping[int, Measurement]) -> Self:
        """Show a row."""
        measured = latest if row.when == "current" else {}
        gates = tuple(GateView.of(gate, measured.get(index)) for index, gate in enumerate(row.gates))
        return cls(row.step, row.weight, moment_or_none(row.at_ms), row.when, row.labels, gates)


@dataclass(frozen=True, slots=True)
class WindowView:
    """In which time anybody is exposed: from `start` until before `end`, and what happens then."""

    start: datetime | None
    end: datetime | None
    at_end: AtEnd | None


@dataclass(frozen=True, slots=True)
class RolloutApproval:
    """Somebody's approval: of the rollout before it starts (`step` null), or of a step."""

    principal: str
    role: str
    step: int | None

    @classmethod
    def of(cls, given: Given) -> Self:
        """Show an approval."""
        return cls(given.principal, given.role, None if given.step < 0 else given.step)


@dataclass(frozen=True, slots=True)
class AgentsView:
    """Live agents that see the config, and how many of them have, or refused, the rollout as it is now."""

    concerned: int
    applied: int
    rejected: int


@dataclass(frozen=True, slots=True)
class ArmView:
    """Outcomes that applications reported of one side of the rollout."""

    total: int
    failed: int
    rate: float

    @classmethod
    def of(cls, tally: Tally) -> Self:
        """Show a tally."""
        return cls(round(tally.total), round(tally.failed), tally.rate)


@dataclass(frozen=True, slots=True)
class OutcomesView:
    """Outcomes of both sides, as far as they are still kept."""

    candidate: ArmView
    baseline: ArmView


@dataclass(frozen=True, slots=True)
class HealthCounts:
    """Applications that got the candidate, by what their agents' probes say."""

    healthy: int
    unhealthy: int
    unknown: int


@dataclass(frozen=True, slots=True)
class NumbersView:
    """Numbers of this moment. Null: it is over, or nobody knows now. `exposed_share` is that of whom it is for."""

    exposed_share: float
    agents: AgentsView | None
    outcomes: OutcomesView | None
    health: HealthCounts | None

    @classmethod
    def of(cls, numbers: Numbers, share: float) -> Self:
        """Show numbers."""
        agents, outcomes, health = numbers.agents, numbers.outcomes, numbers.health
        return cls(
            exposed_share=share,
            agents=None if agents is None else AgentsView(agents.concerned, agents.applied, agents.rejected),
            outcomes=None if outcomes is None else OutcomesView(*map(ArmView.of, outcomes)),
            health=None if health is None else HealthCounts(**{each: health.get(each, 0) for each in Status}),
        )


@dataclass(frozen=True, slots=True)
class RolloutLinks:
    """Where to go from here."""

    self: str
    events: str
    change: str | None
    convergence: str | None


@dataclass(frozen=True, slots=True)
class RolloutView:
    """All of a rollout. `candidate` is null where it is a secret (`sensitive`).

    Of a long list of members in `when`, only their `count` is told. `holding` says why it does not go on now, `next_at` when the clock does something next.
    """

    id: UUID
    app_id: str | None
    environment: str | None
    scope: Level
    key: str
    kind: str
    strategy: Strategy
    phase: Phase
    step: int
    steps: int
    weight: int
    outcome: Outcome | None
    reason: str
    message: str
    labels: Mapping[str, str]
    version: int
    revision: int | None
    created_at: datetime
    created_by: str
    updated_at: datetime
    finished_at: datetime | None
    candidate: Any
    sensitive: bool
    unit: str
    salt: str
    bucketing: str
    when: Any
    window: WindowView | None
    start_at: datetime | None
    started_at: datetime | None
    plan: tuple[PlanRow, ...]
    approvals: tuple[RolloutApproval, ...]
    holding: str | None
    next_at: datetime | None
    legal_actions: tuple[Action, ...]
    numbers: NumbersView
    links: RolloutLinks

    @classmethod
    def of(cls, standing: Standing) -> Self:
        """Show how a rollout stands."""
        stored, rollout, now_ms = standing.stored, standing.rollout, standing.now_ms
        return cls(
            **_summary(stored, rollout, now_ms),
            candidate=shown(rollout.candidate, sensitive=standing.hidden),
            sensitive=standing.hidden,
            unit=rollout.unit,
            salt=rollout.salt,
            bucketing=rollout.bucketing,
            when=shortened(rollout.when),
            window=window_of(rollout),
            start_at=moment_or_none(rollout.start_at_ms),
            started_at=moment_or_none(rollout.started_ms),
            plan=tuple(PlanRow.of(each, standing.latest) for each in standing.rows),
            approvals=tuple(map(RolloutApproval.of, rollout.approvals)),
            holding=standing.holding or None,
            next_at=moment_or_none(standing.next_ms),
            legal_actions=standing.legal_actions,
            numbers=NumbersView.of(standing.numbers, weight_now(rollout, now_ms) / WHOLE),
            links=_links(stored),
        )


@dataclass(frozen=True, slots=True)
class RolloutEventView:
    """Something that happened to a rollout: a transition (with the `revision` of its change), or what gates measured."""

    seq: int
    at: datetime
    action: str
    principal: str
    phase: Phase
    step: int
    revision: int | None
    detail: Mapping[str, Any]

    @classmethod
    def of(cls, event: RolloutEvent) -> Self:
        """Show an event."""
        return cls(
            seq=event.seq,
            at=event.at,
            action=event.action,
            principal=event.principal,
            phase=Phase(event.phase),
            step=event.step,
            revision=event.revision,
            detail=event.detail,
        )


def weight_now(rollout: Rollout, now_ms: int) -> int:
    """How many of 100,000 of whom it is for get the candidate: none while its window is closed."""
    if rollout.outcome is Outcome.KEPT:
        return WHOLE
    opens, closes = rollout.opens_ms, rollout.closes_ms
    if rollout.finished or (opens is not None and now_ms < opens) or (closes is not None and now_ms >= closes):
        return 0
    return rollout.weight(now_ms)


def window_of(rollout: Rollout) -> WindowView | None:
    """The window of a rollout, if it has one."""
    if rollout.opens_ms is None and rollout.closes_ms is None:
        return None
    return WindowView(moment_or_none(rollout.opens_ms), moment_or_none(rollout.closes_ms), rollout.at_end)


def moment(at_ms: int) -> datetime:
    """A moment, from unix milliseconds."""
    return datetime.fromtimestamp(at_ms / 1_000, UTC)


def moment_or_none(at_ms: int | None) -> datetime | None:
    """A moment, if there is one."""
    return None if at_ms is None else moment(at_ms)


def _summary(stored: StoredRollout, rollout: Rollout, now_ms: int) -> dict[str, Any]:
    scope = rollout.scope
    return {
        "id": stored.id,
        "app_id": scope.app_id,
        "environment": scope.environment,
        "scope": scope.level,
        "key": rollout.key,
        "kind": rollout.kind,
        "strategy": rollout.strategy,
        "phase": rollout.phase,
        "step": rollout.step,
        "steps": len(rollout.plan.steps),
        "weight": weight_now(rollout, now_ms),
        "outcome": rollout.outcome,
        "reason": rollout.reason,
        "message": rollout.message,
        "labels": rollout.labels,
        "version": stored.version,
        "revision": stored.revision,
        "created_at": stored.created_at,
        "created_by": rollout.author,
        "updated_at": stored.updated_at,
        "finished_at": stored.finished_at,
    }


def _links(stored: StoredRollout) -> RolloutLinks:
    own = f"/api/v1/rollouts/{stored.id}"
    change = None if stored.revision is None else f"/api/v1/changes/{stored.revision}"
    return RolloutLinks(own, f"{own}/events", change, change and f"{change}/convergence")

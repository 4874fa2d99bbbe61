"""What a rollout would do, as its preview tells it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from control_plane.api.bodies.contents import shortened
from control_plane.api.bodies.preview import EnvironmentName, ObstacleView, PreviewView
from control_plane.api.bodies.rollout_views import GateView, WindowView, moment_or_none, window_of
from control_plane.domain.rollouts.outlook import Row
from control_plane.domain.rollouts.samples import Sample
from control_plane.domain.rollouts.words import Strategy
from control_plane.services.rollouts.previewing import Instance, Instances, RolloutPreview
from shared.domain.bucketing import WHOLE


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """A weight of the plan. `at` is when it begins at the soonest, if it were started now and every gate passed at once.

    `share` is that of the units that the rollout is for; `agents` are the live agents that may serve the candidate then,
    null while nobody knows which agents live. `labels`: only agents that have all labels of one of these.
    """

    step: int
    weight: int
    at: datetime | None
    share: float
    agents: int | None
    labels: tuple[Mapping[str, str], ...]
    gates: tuple[GateView, ...]

    @classmethod
    def of(cls, row: Row, agents: int | None) -> Self:
        """Show a row."""
        gates = tuple(map(GateView.of, row.gates))
        return cls(row.step, row.weight, moment_or_none(row.at_ms), row.weight / WHOLE, agents, row.labels, gates)


@dataclass(frozen=True, slots=True)
class SampleView:
    """One who asks: whether with the candidate at each row of the plan, and from which on (null: never).

    `bucket` is the place of its unit, 0 to 99,999; null where the context does not have the unit.
    """

    context: Any
    bucket: int | None
    candidate: tuple[bool, ...]
    candidate_from: int | None

    @classmethod
    def of(cls, sample: Sample, context: Any) -> Self:
        """Show a sample."""
        return cls(context, sample.bucket, sample.candidate, sample.candidate_from)


@dataclass(frozen=True, slots=True)
class InstanceView:
    """A live agent, and from which row of the plan on it may serve the candidate (null: never)."""

    app_id: str
    environment: str
    instance: str
    candidate_from: int | None

    @classmethod
    def of(cls, each: Instance) -> Self:
        """Show an agent."""
        return cls(each.app_id, each.environment, each.instance, each.candidate_from)


@dataclass(frozen=True, slots=True)
class InstancesView:
    """Live agents whose environments would see a difference: how many, and the first of them."""

    total: int
    truncated: bool
    items: tuple[InstanceView, ...]

    @classmethod
    def of(cls, instances: Instances) -> Self:
        """Show agents."""
        listed = instances.listed
        return cls(listed.total, listed.truncated, tuple(map(InstanceView.of, listed.items)))


@dataclass(frozen=True, slots=True)
class RolloutPreviewView:
    """What a rollout would do. `would_start`: it could be started now as it is.

    `contexts` are looked at in the environment `seen_in`. `change` is what its start would be as a change: who would see
    the candidate in the end, what schemas and guards say. `beside` is another rollout that is exposed on the same config.
    """

    would_start: bool
    strategy: Strategy
    unit: str
    bucketing: str
    when: Any
    window: WindowView | None
    plan: tuple[PreviewRow, ...]
    completes: bool
    contexts: tuple[SampleView, ...]
    seen_in: EnvironmentName | None
    instances: InstancesView | None
    obstacles: tuple[ObstacleView, ...]
    beside: UUID | None
    change: PreviewView

    @classmethod
    def of(cls, preview: RolloutPreview, contexts: Sequence[Any]) -> Self:
        """Show a preview for these contexts."""
        rollout, instances = preview.rollout, preview.instances
        agents = (None,) * len(preview.rows) if instances is None else instances.exposed
        rows = zip(preview.rows, agents, strict=True)
        samples = zip(preview.samples, contexts, strict=False)
        return cls(
            would_start=preview.change.would_commit and not preview.obstacles,
            strategy=rollout.strategy,
            unit=rollout.unit,
            bucketing=rollout.bucketing,
            when=shortened(rollout.when),
            window=window_of(rollout),
            plan=tuple(PreviewRow.of(row, exposed) for row, exposed in rows),
            completes=rollout.plan.completes,
            contexts=tuple(SampleView.of(sample, context) for sample, context in samples),
            seen_in=None if preview.seen_in is None else EnvironmentName(*preview.seen_in),
            instances=None if instances is None else InstancesView.of(instances),
            obstacles=tuple(ObstacleView(each.kind, each.detail) for each in preview.obstacles),
            beside=preview.beside,
            change=PreviewView.of(preview.change, preview.operations),
        )

"""The exposure that agents evaluate: as much of a rollout as its present step lets them see."""

from collections.abc import Mapping, Sequence

from control_plane.domain.rollouts.rollout import Rollout
from control_plane.domain.rollouts.timeline import frozen
from shared.domain.codec import Json, canonical, fragment
from shared.domain.exposure import SCHEMA


def exposure(rollout: Rollout) -> bytes:
    """The canonical JSON of the exposure. It ends with the step: beyond a gate, no clock leads."""
    timeline = rollout.timeline
    if rollout.paused_ms is not None:
        timeline = frozen(timeline, rollout.paused_ms)
    document: dict[str, Json] = {
        "schema": SCHEMA,
        "id": str(rollout.id),
        "strategy": rollout.strategy,
        "phase": rollout.phase,
        "step": rollout.step,
        "kind": rollout.kind,
        "candidate": fragment(rollout.candidate),
        "salt": rollout.salt,
        "unit": rollout.unit,
        "bucketing": rollout.bucketing,
        "weights": [[each.at_ms, each.weight] for each in timeline],
    }
    if (when := audience(rollout)) is not None:
        document["when"] = when
    bounds = {"start": rollout.opens_ms, "end": rollout.closes_ms}
    if window := {name: at for name, at in bounds.items() if at is not None}:
        document["window"] = window
    return canonical(document)


def audience(rollout: Rollout) -> Json:
    """Whom the present step is for, as a condition; None for everybody."""
    parts = [] if rollout.when is None else [rollout.when]
    if labels := rollout.plan.steps[rollout.step].labels:
        parts.append(_labelled(labels))
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else {"all": parts}


def _labelled(labels: Sequence[Mapping[str, str]]) -> Json:
    groups = [
        {"all": [{"attribute": f"agent.label.{name}", "op": "eq", "values": [value]} for name, value in each.items()]}
        for each in labels
    ]
    return groups[0] if len(groups) == 1 else {"any": groups}

"""The vectors that any other language can read, as the domain's own objects."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shared.domain.codec import Json, canonical, decode
from shared.domain.context import EvaluationContext
from shared.domain.entry import Entry
from shared.domain.resolution import Effective, Resolution
from shared.domain.scope import Level

_FILES = Path(__file__).parents[1] / "vectors"


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of a case, and the answer that is right."""

    key: str
    configs: dict[str, Effective]
    context: EvaluationContext
    at: int
    right: Json


def vectors(name: str) -> Json:
    """One of the files."""
    return decode((_FILES / f"{name}.json").read_bytes())


def asked(case: Json) -> Iterator[Asked]:
    """The questions of a case of flags or exposures."""
    configs = {key: effective(key, each) for key, each in case["configs"].items()}
    for each in case["asked"]:
        right = {name: value for name, value in each.items() if name not in ("at", "context")}
        yield Asked(case["key"], configs, context(each["context"]), each.get("at", case.get("at")), right)


def effective(key: str, config: Json, level: Level = Level.ENVIRONMENT) -> Effective:
    """What answers for a key."""
    value, rollout = (canonical(config[name]) if name in config else b"" for name in ("value", "rollout"))
    below = effective(key, config["below"], Level.GLOBAL) if "below" in config else None
    return Effective(level, Entry(key, config["kind"], value, 1, 1, rollout=rollout), below)


def context(members: Json) -> EvaluationContext:
    """Who asks."""
    attributes = {name: value for name, value in members.items() if name not in ("targetingKey", "groups")}
    return EvaluationContext(members.get("targetingKey"), tuple(members.get("groups", ())), attributes)


def answered(resolution: Resolution | None) -> Json:
    """A resolution as the vectors write it."""
    if resolution is None:
        return {"nothing": True}
    right = {
        "value": decode(resolution.value) if resolution.value else None,
        "variant": resolution.variant,
        "reason": resolution.reason.value,
    }
    for name in ("error", "arm"):
        if (word := getattr(resolution, name)) is not None:
            right[name] = word.value
    return right

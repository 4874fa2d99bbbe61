"""Who asks: the evaluation context, in OpenFeature's words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool | None
"""What an attribute may be."""


@dataclass(frozen=True, slots=True)
class EvaluationContext:
    """What is known of the one for whom a config is resolved. All of it is optional."""

    targeting_key: str | None = None
    groups: tuple[str, ...] = ()
    attributes: Mapping[str, Scalar] = field(default_factory=dict)


ANYBODY = EvaluationContext()
"""Nothing is known of who asks."""

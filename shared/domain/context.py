"""Who asks: the evaluation context, in OpenFeature's words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool | None
"""What an attribute may be, or an element of one."""
Attribute: TypeAlias = Scalar | list[Scalar] | tuple[Scalar, ...]
"""What an attribute may be; conditions hold for a list if they do for any element."""


@dataclass(slots=True, unsafe_hash=True)
class EvaluationContext:
    """What is known of the one for whom a config is resolved. All of it is optional. Nobody changes it.

    One is made for each request, and to make a frozen one takes three times as long.
    """

    targeting_key: str | None = None
    groups: tuple[str, ...] = ()
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


ANYBODY = EvaluationContext()
"""Nothing is known of who asks."""

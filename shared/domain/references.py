"""What conditions may refer to, looked up when they are evaluated: segments, and what other configs yield."""

from typing import Protocol

from shared.domain.context import EvaluationContext
from shared.domain.resolution import Resolution

MAX_FOLLOWED = 16
"""References that are followed from one to the next; the control plane refuses cycles, this ends one that got through."""


class UnresolvedError(Exception):
    """A condition refers to what is not there, cannot be understood or refers back to itself.

    It is then neither true nor false: whoever asked takes the baseline, or the default variant.
    """


class References(Protocol):
    """All that conditions may refer to."""

    def following(self) -> "References":
        """For one evaluation, which looks each key up once, however often it is referred to."""
        ...

    def segment(self, key: str, context: EvaluationContext, now_ms: int) -> bool:
        """Whether the one who asks belongs to a segment.

        Raises:
            UnresolvedError: there is no such segment, or too many references were followed.
        """
        ...

    def config(self, key: str, context: EvaluationContext, now_ms: int) -> Resolution | None:
        """What another config yields; None if there is none of this key.

        Raises:
            UnresolvedError: its value was left out or cannot be understood, or too many references were followed.
        """
        ...

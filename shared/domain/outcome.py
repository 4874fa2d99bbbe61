"""All that an entry can yield, made once: one resolution per outcome, and the branches that lead to them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from shared.domain.context import EvaluationContext
from shared.domain.entry import Entry, Kind
from shared.domain.references import References
from shared.domain.resolution import Arm, Effective, ErrorCode, Reason, Resolution

Decide: TypeAlias = Callable[[EvaluationContext, int, References], Resolution | None]
"""A compiled entry: who asks, when (unix milliseconds) and what may be referred to lead to a resolution."""

Test: TypeAlias = Callable[[EvaluationContext, int, References], bool]
"""A compiled condition. Raises `UnresolvedError` where it refers to what is not there."""


@dataclass(frozen=True, slots=True)
class Side:
    """The side of a rollout that outcomes belong to, and why: a plain value takes its reason from it."""

    rollout: str
    arm: Arm
    reason: Reason
    error: ErrorCode | None = None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Makes the resolutions of one entry, on one side of a rollout or on none; equal ones are one object."""

    effective: Effective
    side: Side | None = None
    _made: dict[tuple[object, ...], Resolution] = field(default_factory=dict)

    def plain(self, value: bytes, reason: Reason = Reason.STATIC) -> Resolution:
        """A plain value; under a rollout its variant and reason are those of the rollout."""
        if self.side is None:
            return self.of(value, None, reason)
        return self.of(value, self.side.arm, self.side.reason)

    def of(self, value: bytes, variant: str | None, reason: Reason, error: ErrorCode | None = None) -> Resolution:
        """A variant of a flag, or anything else that has its own reason."""
        key = (value, variant, reason, error)
        if (made := self._made.get(key)) is None:
            made = self._made[key] = self._new(value, variant, reason, error)
        return made

    def _new(self, value: bytes, variant: str | None, reason: Reason, error: ErrorCode | None) -> Resolution:
        if self.side is None:
            return Resolution(value, variant, reason, error, self.effective)
        side = self.side
        return Resolution(value, variant, reason, error or side.error, self.effective, side.rollout, side.arm)


@dataclass(frozen=True, slots=True)
class Branch:
    """Where a decision leads: always to the same resolution (`fixed`), or to further decisions."""

    decide: Decide
    fixed: bool
    resolution: Resolution | None = None
    moments: tuple[int, ...] = ()

    @classmethod
    def to(cls, resolution: Resolution | None) -> "Branch":
        """The branch that ends here."""
        return cls(lambda _context, _now_ms, _references: resolution, fixed=True, resolution=resolution)


@dataclass(frozen=True, slots=True)
class Decision:
    """An entry compiled: as a config (`decide`; None if there is nothing to be read), or as a segment (`test`).

    `constant` is what it yields if that is the same for everybody at any time. At `moments` the clock changes what
    somebody gets. `unsupported` says what could not be understood.
    """

    decide: Decide | None = None
    constant: Resolution | None = None
    test: Test | None = None
    moments: tuple[int, ...] = ()
    unsupported: str | None = None


def is_plain(entry: Entry) -> bool:
    """Whether an entry is the same for everybody at any time and has nothing to compile."""
    return not entry.rollout and entry.kind == Kind.VALUE


def plain(effective: Effective) -> Resolution:
    """What a plain entry yields."""
    return Resolution(effective.entry.value, None, Reason.STATIC, None, effective)

"""Which rollouts this instance serves the candidate of: the health of its application speaks of those."""

from agent.snapshot.model import Snapshot
from shared.domain.codec import MalformedJsonError, decode
from shared.domain.context import EvaluationContext
from shared.domain.document import DocumentError
from shared.domain.entry import Kind
from shared.domain.exposure import INSTANCE, Exposure, parse_exposure
from shared.domain.resolution import Arm, Effective
from shared.wire.evidence import MAX_EXPOSED, MAX_STEP, ExposedTo


class Exposed:
    """Knows the exposures of the current snapshot. They are read when the snapshot changes, not when one asks."""

    def __init__(self, own: EvaluationContext) -> None:
        self._own = own
        self._of: Snapshot | None = None
        self._exposures: list[tuple[str, Exposure]] = []

    def at(self, snapshot: Snapshot, now_ms: int) -> tuple[ExposedTo, ...]:
        """The rollouts whose candidate is served here: to this instance, or to some of its users."""
        if snapshot is not self._of:
            self._exposures = list(_exposures(snapshot))
            self._of = snapshot
        found = (
            ExposedTo(each.id, min(each.step, MAX_STEP))
            for key, each in self._exposures
            if each.weight(now_ms) > 0 and each.is_open(now_ms) and self._serves(snapshot, key, each, now_ms)
        )
        return tuple(found)[:MAX_EXPOSED]

    def _serves(self, snapshot: Snapshot, key: str, exposure: Exposure, now_ms: int) -> bool:
        """A candidate for instances is served by those that it is for; one for users, maybe by any."""
        if exposure.unit != INSTANCE or exposure.kind == Kind.SEGMENT:
            return True
        found = snapshot.program.evaluate(key, self._own, now_ms)
        return found is not None and found.arm is Arm.CANDIDATE


def _exposures(snapshot: Snapshot) -> list[tuple[str, Exposure]]:
    found: list[tuple[str, Exposure]] = []
    for key, each in snapshot.effective.items():
        effective: Effective | None = each
        while effective is not None:
            if effective.entry.rollout:
                try:
                    found.append((key, parse_exposure(decode(effective.entry.rollout))))
                except (MalformedJsonError, DocumentError, RecursionError):
                    break  # the program tells of what cannot be understood
            effective = effective.below
    return found

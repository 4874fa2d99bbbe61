"""Which rollouts this instance serves the candidate of: the health of its application speaks of those."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from agent.snapshot.model import Snapshot
from shared.domain.codec import MalformedJsonError, decode
from shared.domain.context import EvaluationContext
from shared.domain.document import DocumentError
from shared.wire.evidence import MAX_EXPOSED, MAX_STEP, ExposedTo

if TYPE_CHECKING:
    from shared.domain.exposure import Exposure


class Exposed:
    """Knows the exposures of the current snapshot. They are read when the snapshot changes, not when one asks."""

    def __init__(self, own: EvaluationContext) -> None:
        self._own = own
        self._of: Snapshot | None = None
        self._exposures: list[Exposure] = []

    def at(self, snapshot: Snapshot, now_ms: int) -> tuple[ExposedTo, ...]:
        """The rollouts whose candidate is served here: to this instance, or to some of its users."""
        found = (
            ExposedTo(each.id, min(each.step, MAX_STEP))
            for each in self._read(snapshot)
            if each.weight(now_ms) > 0 and each.is_open(now_ms) and self._serves(each, now_ms)
        )
        return tuple(found)[:MAX_EXPOSED]

    def _serves(self, exposure: "Exposure", now_ms: int) -> bool:
        from shared.domain.aim import aim  # noqa: PLC0415 - as below

        return aim(exposure, now_ms)(self._own)

    def knows(self, snapshot: Snapshot, rollout: str) -> bool:
        """Whether a rollout is of the snapshot, whoever is served its candidate."""
        return any(each.id == rollout for each in self._read(snapshot))

    def _read(self, snapshot: Snapshot) -> "list[Exposure]":
        if snapshot is not self._of:
            self._exposures, self._of = _exposures(snapshot), snapshot
        return self._exposures


def _exposures(snapshot: Snapshot) -> "list[Exposure]":
    documents: list[bytes] = []
    for effective in snapshot.effective.values():
        standing = [effective]
        while (below := standing[-1].below) is not None:
            standing.append(below)
        documents += [each.entry.rollout for each in standing if each.entry.rollout]
    return list(_parsed(documents)) if documents else []


def _parsed(documents: Iterable[bytes]) -> "Iterator[Exposure]":
    from shared.domain.exposure import parse_exposure  # noqa: PLC0415 - memory that only rollouts should cost

    for each in documents:
        with suppress(MalformedJsonError, DocumentError, RecursionError):  # the program tells of these
            yield parse_exposure(decode(each))

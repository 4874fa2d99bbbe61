"""The bytes of every answer that was given, kept for as long as they stay true."""

from collections.abc import Sequence

from agent.local_api.ofrep.answer import FlagAnswer, answer_of
from agent.local_api.ofrep.question import MAX_FLAGS
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from shared.domain.context import EvaluationContext
from shared.domain.resolution import Resolution

MAX_OUTCOMES = 10 * MAX_FLAGS
"""Outcomes whose bytes are kept for one snapshot; more are built again each time."""


class KeptAnswers:
    """One answer per outcome: a resolution is one object for as long as its entry is, so it is known by identity."""

    def __init__(self, store: SnapshotStore) -> None:
        self._store = store
        self._kept: dict[Resolution | None, FlagAnswer] = {}
        self._stale = False

    def of(self, resolution: Resolution, *, stale: bool) -> FlagAnswer:
        """The answer for an outcome of the current snapshot."""
        answer = self._table(stale=stale).get(resolution)
        return self._made(resolution) if answer is None else answer

    def each(
        self, keys: Sequence[str], context: EvaluationContext, now_ms: int, *, stale: bool
    ) -> list[FlagAnswer | None]:
        """The answers for these keys; None where there is nothing to be read."""
        resolutions = self._store.current.program.each(keys, context, now_ms)
        answers = list(map(self._table(stale=stale).get, resolutions))
        if None in answers:
            for index, resolution in enumerate(resolutions):
                if answers[index] is None and resolution is not None:
                    answers[index] = self._made(resolution)
        return answers

    def swapped(self, _old: Snapshot, _new: Snapshot) -> None:
        """Forget: what a config may yield, and so the type of its numbers, may be another now."""
        self._kept.clear()

    def _table(self, *, stale: bool) -> dict[Resolution | None, FlagAnswer]:
        if stale is not self._stale:
            self._kept, self._stale = {}, stale
        return self._kept

    def _made(self, resolution: Resolution) -> FlagAnswer:
        key = resolution.effective.entry.key
        effective = self._store.current.effective.get(key, resolution.effective)
        answer = answer_of(resolution, effective, stale=self._stale)
        if len(self._kept) < MAX_OUTCOMES:
            self._kept[resolution] = answer
        return answer

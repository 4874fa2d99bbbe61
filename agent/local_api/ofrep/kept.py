"""The bytes of every answer that was given, kept for as long as they stay true."""

from dataclasses import dataclass

from agent.local_api.ofrep.answer import FlagAnswer, answer_of
from agent.local_api.ofrep.refusal import JSON_HEADERS
from agent.local_api.reply import Reply
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from shared.domain.resolution import Resolution

MAX_OUTCOMES = 10_000
"""Outcomes whose bytes are kept for one snapshot; more are built again each time."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One outcome's answer, and the reply that it is for a single evaluation."""

    answer: FlagAnswer
    reply: Reply


class KeptAnswers:
    """One answer per outcome: a resolution is one object for as long as its entry is, so it is known by identity."""

    def __init__(self, store: SnapshotStore) -> None:
        self._store = store
        self._kept: dict[Resolution, Kept] = {}
        self._stale = False

    def of(self, resolution: Resolution, *, stale: bool) -> Kept:
        """The answer for an outcome of the current snapshot."""
        if stale is not self._stale:
            self._kept, self._stale = {}, stale
        kept = self._kept.get(resolution)
        if kept is None:
            kept = self._made(resolution, stale=stale)
            if len(self._kept) < MAX_OUTCOMES:
                self._kept[resolution] = kept
        return kept

    def swapped(self, _old: Snapshot, _new: Snapshot) -> None:
        """Forget: what a config may yield, and so the type of its numbers, may be another now."""
        self._kept.clear()

    def _made(self, resolution: Resolution, *, stale: bool) -> Kept:
        entry = resolution.effective.entry
        answer = answer_of(resolution, self._store.current.effective.get(entry.key, resolution.effective), stale=stale)
        return Kept(answer, Reply(answer.status, JSON_HEADERS, answer.body))

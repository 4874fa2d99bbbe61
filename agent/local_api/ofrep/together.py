"""Many flags in one answer: of one snapshot, one moment and one who asks. What fails, fails alone."""

from collections import Counter
from operator import attrgetter
from time import perf_counter

from agent.local_api.answers import Answers
from agent.local_api.freshness import Freshness
from agent.local_api.ofrep.answer import Item, unknown
from agent.local_api.ofrep.kept import KeptAnswers
from agent.local_api.ofrep.question import Wanted
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from shared.domain.context import EvaluationContext
from shared.domain.entry import Kind

_FULL, _PUBLIC, _REASON = attrgetter("full"), attrgetter("public"), attrgetter("reason")


class Together:
    """Joins the bytes that there are for each flag."""

    def __init__(self, store: SnapshotStore, answers: Answers, kept: KeptAnswers, freshness: Freshness) -> None:
        self._store, self._answers, self._kept, self._freshness = store, answers, kept, freshness
        self._sorted: list[str] = []
        self._sorted_of: Snapshot | None = None

    @property
    def stale(self) -> bool:
        """Whether answers have to say that they may be old."""
        return self._freshness.stale()

    def evaluated(
        self, wanted: Wanted, context: EvaluationContext, now_ms: int, *, shown: bool
    ) -> tuple[list[Item], Counter[str]]:
        """The items of these flags, and how often each reason was given; sensitive values only if they may be shown."""
        began, keys = perf_counter(), self._keys(wanted)
        found = self._kept.each(keys, context, now_ms, stale=self.stale)
        answers = [each for each in found if each is not None]
        if wanted.flags and len(answers) < len(found):
            answers += [
                unknown(key) for key, each in zip(keys, found, strict=True) if each is None and key in wanted.flags
            ]
        items = list(map(_FULL if shown else _PUBLIC, answers))
        reasons = Counter(map(_REASON, answers))
        self._answers.documents.add(perf_counter() - began)
        return items, reasons

    def _keys(self, wanted: Wanted) -> list[str]:
        if wanted.prefix is None:
            return list(wanted.flags) if wanted.flags else self._all(self._store.current)
        of_prefix = (key for key in self._all(self._store.current) if key.startswith(wanted.prefix))
        return list(dict.fromkeys((*wanted.flags, *of_prefix)))

    def _all(self, snapshot: Snapshot) -> list[str]:
        if self._sorted_of is not snapshot:
            readable = (key for key, each in snapshot.effective.items() if each.entry.kind != Kind.SEGMENT)
            self._sorted_of, self._sorted = snapshot, sorted(readable)
        return self._sorted

"""Many flags in one answer: of one snapshot, one moment and one who asks. What fails, fails alone."""

from collections import Counter
from time import perf_counter

from agent.local_api.answers import Answers
from agent.local_api.freshness import Freshness
from agent.local_api.ofrep.answer import failure
from agent.local_api.ofrep.kept import KeptAnswers
from agent.local_api.ofrep.question import Wanted
from agent.local_api.ofrep.refusal import told
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from shared.domain.context import EvaluationContext
from shared.domain.resolution import ErrorCode, Reason


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
    ) -> tuple[bytes, Counter[str]]:
        """The items of these flags, and how often each reason was given; sensitive values only if they may be shown."""
        began, stale, items, reasons = perf_counter(), self.stale, list[bytes](), list[str]()
        evaluate, kept_of = self._store.current.program.evaluate, self._kept.of
        for key in self._keys(wanted):
            resolution = evaluate(key, context, now_ms)
            if resolution is None:
                if key in wanted.flags:
                    reasons.append(Reason.ERROR.value)
                    items.append(_unknown(key))
                continue
            answer = kept_of(resolution, stale=stale).answer
            reasons.append(answer.reason)
            items.append(_hidden(key) if answer.sensitive and not shown else answer.body)
        self._answers.documents.add(perf_counter() - began)
        return b",".join(items), Counter(reasons)

    def _keys(self, wanted: Wanted) -> list[str]:
        if wanted.prefix is None:
            return list(wanted.flags) if wanted.flags else self._all(self._store.current)
        of_prefix = (key for key in self._all(self._store.current) if key.startswith(wanted.prefix))
        return list(dict.fromkeys((*wanted.flags, *of_prefix)))

    def _all(self, snapshot: Snapshot) -> list[str]:
        if self._sorted_of is not snapshot:
            self._sorted_of, self._sorted = snapshot, sorted(snapshot.effective)
        return self._sorted


def _unknown(key: str) -> bytes:
    details = f"There is no config {told(key)!r} for this application/environment."
    return failure(told(key), ErrorCode.FLAG_NOT_FOUND, details)


def _hidden(key: str) -> bytes:
    details = (
        f"{key!r} is sensitive: send the agent's local token (Authorization: Bearer, or X-API-Key), if it has one."
    )
    return failure(key, ErrorCode.GENERAL, details)

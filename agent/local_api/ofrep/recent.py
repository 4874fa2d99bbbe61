"""The bulk answers that were given last: whoever polls asks for the same again and again."""

from collections import Counter
from dataclasses import dataclass

from agent.local_api.reply import Reply

MAX_KEPT = 64
"""Answers that are kept for one snapshot; the oldest ones make room for others."""
MAX_BYTES = 2 * 1024 * 1024
"""Bytes of all of them, with the requests by which they are found."""
MAX_ONCE = 1_024
"""Requests that are known to have come once."""


@dataclass(frozen=True, slots=True, eq=False)
class BulkAnswer:
    """An answer's two replies, and between which moments (unix milliseconds) the clock changes nothing of it."""

    etag: str
    full: Reply
    unchanged: Reply
    reasons: Counter[str]
    since_ms: int
    until_ms: int | None

    def holds(self, now_ms: int) -> bool:
        """Whether it is true at a moment."""
        return now_ms >= self.since_ms and (self.until_ms is None or now_ms < self.until_ms)


class Recent:
    """Answers by all that they depend on but the clock, and the size of that.

    One is kept when it is asked for again: where everybody asks once, to keep all would only take memory from the caches.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], tuple[BulkAnswer, int]] = {}
        self._once: set[int] = set()
        self._bytes = 0

    def get(self, wanted: tuple[object, ...], now_ms: int) -> BulkAnswer | None:
        """The answer, if there is one that is true now."""
        found = self._kept.get(wanted)
        return None if found is None or not found[0].holds(now_ms) else found[0]

    def keep(self, wanted: tuple[object, ...], answer: BulkAnswer, size: int) -> None:
        """Keep one that was asked for before, unless it is too large."""
        if (asked := hash(wanted)) not in self._once:
            if len(self._once) >= MAX_ONCE:
                self._once.clear()
            self._once.add(asked)
            return
        size += len(answer.full.body)
        self._drop(wanted)
        while self._kept and (len(self._kept) >= MAX_KEPT or self._bytes + size > MAX_BYTES):
            self._drop(next(iter(self._kept)))
        if size <= MAX_BYTES:
            self._kept[wanted] = answer, size
            self._bytes += size

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
        self._bytes = 0

    def _drop(self, wanted: tuple[object, ...]) -> None:
        if (found := self._kept.pop(wanted, None)) is not None:
            self._bytes -= found[1]

"""Answers by the exact bytes of their requests, for as long as they cannot have become another.

A client that keeps its connection sends byte for byte the same request again: method, target, every header. So its bytes
are a correct key, and nothing of them has to be looked at. All is forgotten with every swap of the snapshot, with every
moment of the clock that changes something, when the agent becomes stale or fresh, and at the latest after a second,
because an answer holds its date.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.local_api.answers import Answers
from agent.local_api.lane.wire import date_now, head_of
from agent.local_api.reply import Reply, Tally
from agent.local_api.traffic import Requests
from agent.local_api.view import AgentView
from agent.snapshot.model import Snapshot

MAX_ENTRIES = 2_048
"""Requests that are known; whatever more there are in a second is read like the first time."""
MAX_REQUEST = 2 * 1024
MAX_ONCE = 2_048
"""Requests that are known to have come once. Who asks for another one each time fills no memory, and no cache."""
MAX_WIRES = 2_048
"""Answers that are kept as they go out."""
MAX_BYTES = 4 * 1024 * 1024
"""Bytes of all of them: lists for many who ask, each for another, are large and not asked for again."""
JOINED_UP_TO = 16 * 1024
"""Bytes of a body that goes out in one piece with its head; a larger one is copied for that only if it is kept."""
LASTS = 1.0
"""Seconds for which a date may be said again."""


@dataclass(slots=True)
class Kept:
    """An answer as it goes out, in one piece or two, and how often it did so again without having been counted."""

    first: bytes
    rest: bytes
    route: str
    status: int
    tally: Tally | None
    stays: bool
    """Whether it is kept until all is forgotten; only then may it be counted later."""
    made: int = 0
    """How often its face said so, and counted all but the request."""
    again: int = 0
    """How often it went out without that."""


class Memo:
    """Whoever takes an entry asks `holds` first."""

    def __init__(self, view: AgentView, answers: Answers, requests: Requests) -> None:
        self._store, self._status, self._policy = view.store, view.status, view.policy
        self._usage, self._requests = view.usage, requests
        self._monotonic, self._answers = view.clock.monotonic, answers
        self.entries: dict[bytes, Kept] = {}
        self.wires: dict[Reply, Kept] = {}
        self._heads: dict[Reply, Kept] = {}
        self._once: set[int] = set()
        self._bytes = 0
        self.date = ""
        self._until = float("-inf")
        self._confirmed: float | None = None
        self._timed, self._since_ms, self._until_ms = False, 0, 0

    def holds(self) -> bool:
        """Whether the entries are true now; if not, they are forgotten."""
        if (
            self._monotonic() < self._until
            and self._status.last_confirmed is self._confirmed
            and (not self._timed or self._since_ms <= self._answers.now_ms < self._until_ms)
        ):
            return True
        self.forget()
        self._begin()
        return False

    def wire(self, reply: Reply, route: str, *, bodiless: bool) -> Kept:
        """An answer as it goes out now; the same one as before if it was given before in this second."""
        wires = self._heads if bodiless else self.wires
        kept = wires.get(reply)
        if kept is None:
            head, body = head_of(reply, self.date), b"" if bodiless else reply.body
            size = len(head) + len(body)
            stays = len(wires) < MAX_WIRES and self._bytes + size <= MAX_BYTES
            joined = len(body) <= JOINED_UP_TO or (stays and reply.tally is not None)
            first, rest = (head + body, b"") if joined else (head, body)
            kept = Kept(first, rest, route, reply.status, reply.tally, stays)
            if stays:
                wires[reply] = kept
                self._bytes += size
        return kept

    def settle(self) -> None:
        """Count what was answered."""
        for wires in (self.wires, self._heads):
            for kept in wires.values():
                self.count(kept)

    def count(self, kept: Kept) -> None:
        """Count how often an answer went out."""
        if times := kept.made + kept.again:
            self._requests.counts[kept.route, kept.status] += times
            if kept.tally is not None and kept.again:
                self._count_reads(kept.tally, kept.again)
            kept.made = kept.again = 0

    def _count_reads(self, tally: Tally, times: int) -> None:
        if tally.key:
            self._usage.keys[tally.key] += times
            self._usage.reasons[tally.reason] += times
        else:
            self._usage.bulk += times

    def keep(self, request: bytes, kept: Kept) -> None:
        """Keep an answer that was made while the memo held, if the same was asked before."""
        if (asked := hash(request)) in self._once:
            if kept.stays and len(self.entries) < MAX_ENTRIES and len(request) <= MAX_REQUEST:
                self.entries[request] = kept
            return
        if len(self._once) >= MAX_ONCE:
            self._once.clear()
        self._once.add(asked)

    def forget(self) -> None:
        """Know nothing."""
        self.settle()
        self.wires.clear()
        self._heads.clear()
        self._bytes = 0
        self.entries.clear()

    def swapped(self, _old: Snapshot, _new: Snapshot) -> None:
        """There is another snapshot."""
        self.forget()
        self._until = float("-inf")

    def time_passed(self, _snapshot: Snapshot, _keys: Sequence[str]) -> None:
        """The clock changed something."""
        self.forget()
        self._until = float("-inf")

    def _begin(self) -> None:
        """Find out until when entries made from now on are true."""
        now, program = self._monotonic(), self._store.current.program
        self.date, self._until = date_now(), now + LASTS
        self._confirmed = self._status.last_confirmed
        if self._policy.max_staleness is not None and self._confirmed is not None:
            fresh_until = self._confirmed + self._policy.max_staleness
            self._until = min(self._until, fresh_until) if fresh_until > now else self._until
        self._timed = program.keeps_time
        if self._timed:
            self._since_ms = self._answers.now_ms
            following = program.next_moment(self._since_ms)
            self._until_ms = following if following is not None else self._since_ms + 60_000

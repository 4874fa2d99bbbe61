"""`POST /ofrep/v1/evaluate/flags`: all flags, or some, for one who asks. What a page in a browser lives on."""

import hashlib
from collections import Counter
from dataclasses import dataclass

from agent.local_api.answers import Answers
from agent.local_api.asked import Asked
from agent.local_api.errors import ProblemError, not_ready
from agent.local_api.guard import Guard
from agent.local_api.ofrep.credentials import with_bearer
from agent.local_api.ofrep.question import context_in, wanted_in
from agent.local_api.ofrep.refusal import RefusalError, refusal
from agent.local_api.ofrep.streams import Streams
from agent.local_api.ofrep.together import Together
from agent.local_api.replies import CACHE_CONTROL, REVISION_HEADER, matches
from agent.local_api.reply import Reply
from agent.local_api.view import AgentView
from agent.snapshot.model import Snapshot
from shared.domain.codec import canonical
from shared.domain.context import EvaluationContext
from shared.runtime.connection import SERVER

MAX_KEPT = 64
"""Answers that are kept for one snapshot, by what was asked for: whoever polls asks for the same again and again."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer's two replies, and between which moments (unix milliseconds) the clock changes nothing of it."""

    etag: str
    full: Reply
    unchanged: Reply
    reasons: Counter[str]
    since_ms: int
    until_ms: int | None

    def holds(self, now_ms: int) -> bool:
        return now_ms >= self.since_ms and (self.until_ms is None or now_ms < self.until_ms)


class Bulk:
    """The face.

    The ETag stands for the revision, for the context and for every byte of the answer. So who changed the context, or
    whose flags the clock has changed, never hears that nothing did.
    """

    def __init__(self, view: AgentView, answers: Answers, together: Together, guard: Guard, streams: Streams) -> None:
        self._store, self._own, self._usage = view.store, view.own, view.usage
        self._answers, self._together, self._guard, self._streams = answers, together, guard, streams
        self._kept: dict[tuple[object, ...], _Kept] = {}
        self._kept_of: Snapshot | None = None

    def evaluate(self, asked: Asked) -> Reply:
        """The flags' answers, 304 for who has them, or an error in the protocol's form."""
        try:
            return self._evaluate(asked)
        except (RefusalError, ProblemError) as error:
            return refusal(error, None)

    def _evaluate(self, asked: Asked) -> Reply:
        if not self._store.ready:
            raise not_ready()
        if self._kept_of is not self._store.current:
            self._kept, self._kept_of = {}, self._store.current
        shown = self._guard.shows_sensitive(with_bearer(asked))
        streams, now_ms, stale = self._streams.offered(asked), self._answers.now_ms, self._together.stale
        wanted = (asked.headers.get("content-type"), asked.body, asked.query, shown, streams, stale)
        kept = self._kept.get(wanted)
        if kept is None or not kept.holds(now_ms):
            kept = self._made(asked, now_ms, streams, shown=shown)
            if len(self._kept) < MAX_KEPT:
                self._kept[wanted] = kept
        self._usage.bulk += 1
        self._usage.reasons.update(kept.reasons)
        given = asked.headers.get("if-none-match")
        return kept.unchanged if given is not None and _has(given, kept.etag) else kept.full

    def _made(self, asked: Asked, now_ms: int, streams: bytes, *, shown: bool) -> _Kept:
        context, given = context_in(asked, self._own)
        snapshot = self._store.current
        flags, reasons = self._together.evaluated(wanted_in(asked, given), context, now_ms, shown=shown)
        body = b'{"flags":[%s],"metadata":%s,"eventStreams":%s}' % (flags, _metadata(snapshot), streams)
        etag = _tag(context, body)
        headers = (
            ("Content-Type", "application/json"),
            ("ETag", etag),
            ("Cache-Control", CACHE_CONTROL),
            ("Vary", "Authorization, X-API-Key"),
            ("Server", SERVER),
            (REVISION_HEADER, str(snapshot.revision)),
        )
        until_ms = snapshot.program.next_moment(now_ms)
        return _Kept(etag, Reply(200, headers, body), Reply(304, headers[1:], b""), reasons, now_ms, until_ms)


def _metadata(snapshot: Snapshot) -> bytes:
    return canonical({"app": snapshot.app_id, "environment": snapshot.environment, "revision": snapshot.revision})


def _tag(context: EvaluationContext, body: bytes) -> str:
    who = canonical([context.targeting_key, list(context.groups), {**context.attributes}])
    digest = hashlib.blake2b(hashlib.blake2b(who).digest(), digest_size=16)
    digest.update(body)
    return f'"{digest.hexdigest()}"'


def _has(if_none_match: str, etag: str) -> bool:
    """Whether the reader has this very answer; `*` names none."""
    return if_none_match.strip() != "*" and matches(if_none_match, etag)

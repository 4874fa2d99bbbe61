"""`POST /ofrep/v1/evaluate/flags`: all flags, or some, for one who asks. What a page in a browser lives on."""

import hashlib

from agent.local_api.answers import Answers
from agent.local_api.asked import Asked
from agent.local_api.errors import ProblemError, not_ready
from agent.local_api.guard import Guard
from agent.local_api.ofrep.credentials import with_bearer
from agent.local_api.ofrep.question import context_in, wanted_in
from agent.local_api.ofrep.recent import BulkAnswer, Recent
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


class Bulk:
    """The face.

    The ETag stands for the revision, for the context and for every byte of the answer. So who changed the context, or
    whose flags the clock has changed, never hears that nothing did.
    """

    def __init__(self, view: AgentView, answers: Answers, together: Together, guard: Guard, streams: Streams) -> None:
        self._store, self._own, self._usage = view.store, view.own, view.usage
        self._answers, self._together, self._guard, self._streams = answers, together, guard, streams
        self._recent = Recent()
        self._recent_of: Snapshot | None = None

    def evaluate(self, asked: Asked) -> Reply:
        """The flags' answers, 304 for who has them, or an error in the protocol's form."""
        try:
            return self._evaluate(asked)
        except (RefusalError, ProblemError) as error:
            return refusal(error, None)

    def _evaluate(self, asked: Asked) -> Reply:
        if not self._store.ready:
            raise not_ready()
        if self._recent_of is not self._store.current:
            self._recent_of = self._store.current
            self._recent.clear()
        shown = self._guard.shows_sensitive(with_bearer(asked))
        streams, now_ms = self._streams.offered(asked), self._answers.now_ms
        wanted = (asked.headers.get("content-type"), asked.body, asked.query, shown, streams, self._together.stale)
        answer = self._recent.get(wanted, now_ms)
        if answer is None:
            answer = self._made(asked, now_ms, streams, shown=shown)
            self._recent.keep(wanted, answer, len(asked.body) + len(asked.query))
        self._usage.bulk += 1
        self._usage.reasons.update(answer.reasons)
        given = asked.headers.get("if-none-match")
        return answer.unchanged if given is not None and _has(given, answer.etag) else answer.full

    def _made(self, asked: Asked, now_ms: int, streams: bytes, *, shown: bool) -> BulkAnswer:
        context, given = context_in(asked, self._own)
        snapshot = self._store.current
        items, reasons = self._together.evaluated(wanted_in(asked, given), context, now_ms, shown=shown)
        rest = b'],"metadata":%b,"eventStreams":%b}' % (_metadata(snapshot), streams)
        body = b'{"flags":[%b%b' % (b",".join([each.content for each in items]), rest)
        etag = _tag(context, [each.digest for each in items], rest)
        headers = (
            ("Content-Type", "application/json"),
            ("ETag", etag),
            ("Cache-Control", CACHE_CONTROL),
            ("Vary", "Authorization, X-API-Key"),
            ("Server", SERVER),
            (REVISION_HEADER, str(snapshot.revision)),
        )
        until_ms = snapshot.program.next_moment(now_ms)
        return BulkAnswer(etag, Reply(200, headers, body), Reply(304, headers[1:], b""), reasons, now_ms, until_ms)


def _metadata(snapshot: Snapshot) -> bytes:
    return canonical({"app": snapshot.app_id, "environment": snapshot.environment, "revision": snapshot.revision})


def _tag(context: EvaluationContext, items: list[bytes], rest: bytes) -> str:
    """Made of the digests of all parts, each of which says where it ends: quicker than of all the bytes."""
    who = canonical([context.targeting_key, list(context.groups), {**context.attributes}])
    parts = [hashlib.blake2b(part, digest_size=16).digest() for part in (who, rest)]
    return f'"{hashlib.blake2b(b"".join(parts + items), digest_size=16).hexdigest()}"'


def _has(if_none_match: str, etag: str) -> bool:
    """Whether the reader has this very answer; `*` names none."""
    return if_none_match.strip() != "*" and matches(if_none_match, etag)

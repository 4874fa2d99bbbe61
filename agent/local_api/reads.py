"""`GET /v1/configs`, `/v1/configs/{key}` and `/v1/values/{key}`: the application's own reads."""

from typing import TYPE_CHECKING

from agent.local_api.answers import Answer, Answers, Body
from agent.local_api.asked import Asked, parameter
from agent.local_api.contexts import asked_context, query_context, says_who
from agent.local_api.errors import no_value, not_ready, unknown_key
from agent.local_api.guard import Guard
from agent.local_api.replies import TEXT, Form, bulky, prefers_text, reply, require_json
from agent.local_api.reply import Reply, Tally
from agent.local_api.view import AgentView
from shared.domain.codec import decode
from shared.domain.entry import Kind
from shared.domain.resolution import Reason

if TYPE_CHECKING:
    from agent.snapshot.model import Snapshot

MAX_REPLIES = 10_000
"""Answers that are kept for one snapshot."""
_OK = 200
_PREFIX = "prefix"
WAIT = "wait"
"""For how long a reader that has the answer already waits for another one; no part of a context."""


class Reads:
    """The faces. A config that is the same for everybody is answered without a look at who asks."""

    def __init__(self, view: AgentView, answers: Answers, guard: Guard) -> None:
        self._store, self._own, self._usage = view.store, view.own, view.usage
        self._answers, self._guard, self._counts = answers, guard, view.usage.keys
        self._reasons = view.usage.reasons
        self._replies: dict[Body, Reply] = {}
        self._replies_of: Snapshot | None = None

    def config(self, asked: Asked) -> Reply:
        """The resolution of one key."""
        require_json(asked)
        answer = self._one(asked)
        return self._said(asked, answer.config) or self._say(asked, answer, Form(answer.config))

    def value(self, asked: Asked) -> Reply:
        """The bare value of one key, as JSON, or for `Accept: text/plain` a text as it is."""
        text, answer = prefers_text(asked), self._one(asked)
        if not answer.has_value:
            raise no_value(asked.key, answer.resolution.error)
        if text:
            return self._say(asked, answer, Form(_as_text(answer.value), TEXT, "Accept"))
        return self._said(asked, answer.value) or self._say(asked, answer, Form(answer.value, vary="Accept"))

    def configs(self, asked: Asked) -> Reply:
        """All configs, or those of a prefix, of one revision and for one who asks."""
        if not self._store.ready:
            raise not_ready()
        require_json(asked)
        self._usage.bulk += 1
        query = asked.pairs()
        prefix, sensitive = parameter(query, _PREFIX), self._guard.shows_sensitive(asked)
        if says_who(query, _PREFIX, WAIT):
            context = query_context(query, self._own, _PREFIX, WAIT)
            body = self._answers.asked(prefix, context, sensitive=sensitive)
        else:
            body = self._answers.many(prefix, sensitive=sensitive)
        return bulky(asked, body, self._store.current.revision, "Authorization", Tally())

    def _said(self, asked: Asked, body: Body) -> Reply | None:
        """The same answer as before, if it was given before of this snapshot to one who had nothing."""
        if self._replies_of is not self._store.current:
            self._replies, self._replies_of = {}, self._store.current
        return None if "if-none-match" in asked.headers else self._replies.get(body)

    def _say(self, asked: Asked, answer: Answer, form: Form) -> Reply:
        said = reply(asked, form, self._store.current.revision, Tally(asked.key, answer.reason))
        if said.status == _OK and len(self._replies) < MAX_REPLIES:
            self._replies[form.body] = said
        return said

    def _one(self, asked: Asked) -> Answer:
        if not self._store.ready:
            raise not_ready()
        key = asked.key
        if self._store.current.program.decides(key):
            answer = self._answers.one(key, asked_context(asked, self._own, WAIT))
        else:
            answer = self._answers.constant(key)
        if answer is None:
            self._reasons[Reason.ERROR.value] += 1
            effective = self._store.current.effective.get(key)
            raise unknown_key(key, segment=effective is not None and effective.entry.kind == Kind.SEGMENT)
        if answer.sensitive:
            self._guard.require_sensitive(asked, key)
        self._counts[key] += 1
        self._reasons[answer.reason] += 1
        return answer


def _as_text(body: Body) -> Body:
    """The same value for a shell: a text without quotes, everything else in JSON."""
    value = decode(body.content)
    content = value.encode() if isinstance(value, str) else body.content
    return Body(content, f'{body.etag[:-1]}-text"')

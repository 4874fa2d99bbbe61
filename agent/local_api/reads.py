"""`GET /v1/configs`, `/v1/configs/{key}` and `/v1/values/{key}`: the application's own reads."""

from aiohttp import web

from agent.local_api.answers import Answer, Answers, Body
from agent.local_api.contexts import query_context, says_who
from agent.local_api.errors import no_value, not_ready, unknown_key
from agent.local_api.guard import Guard
from agent.local_api.replies import prefers_text, reply
from agent.local_api.view import AgentView
from shared.domain.codec import decode
from shared.domain.entry import Kind
from shared.domain.resolution import Reason

_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
_PREFIX = "prefix"


class Reads:
    """The handlers. A config that is the same for everybody is answered without a look at who asks."""

    def __init__(self, view: AgentView, answers: Answers, guard: Guard) -> None:
        self._store, self._own, self._usage = view.store, view.own, view.usage
        self._answers, self._guard, self._counts = answers, guard, view.usage.keys
        self._reasons = view.usage.reasons

    async def config(self, request: web.Request) -> web.Response:
        """The resolution of one key."""
        answer = self._one(request)
        return reply(request, answer.config, self._store.current.revision, _JSON)

    async def value(self, request: web.Request) -> web.Response:
        """The bare value of one key, as JSON, or for `Accept: text/plain` a text as it is."""
        answer, revision = self._one(request), self._store.current.revision
        if not answer.has_value:
            raise no_value(request.match_info["key"], answer.resolution.error)
        if prefers_text(request.headers.get("Accept", "")):
            return reply(request, _as_text(answer.value), revision, _TEXT, "Accept")
        return reply(request, answer.value, revision, _JSON, "Accept")

    async def configs(self, request: web.Request) -> web.Response:
        """All configs, or those of a prefix, of one revision and for one who asks."""
        if not self._store.ready:
            raise not_ready()
        self._usage.bulk += 1
        prefix, sensitive = request.query.get(_PREFIX, ""), self._guard.shows_sensitive(request)
        if says_who(request.query, _PREFIX):
            context = query_context(request.query, self._own, _PREFIX)
            body = self._answers.asked(prefix, context, sensitive=sensitive)
        else:
            body = self._answers.many(prefix, sensitive=sensitive)
        return reply(request, body, self._store.current.revision, _JSON, "Authorization")

    def _one(self, request: web.Request) -> Answer:
        if not self._store.ready:
            raise not_ready()
        key = request.match_info["key"]
        answer = self._answers.constant(key)
        if answer is None:
            answer = self._answers.one(key, query_context(request.query, self._own))
        if answer is None:
            self._reasons[Reason.ERROR.value] += 1
            effective = self._store.current.effective.get(key)
            raise unknown_key(key, segment=effective is not None and effective.entry.kind == Kind.SEGMENT)
        if answer.sensitive:
            self._guard.require_sensitive(request, key)
        self._counts[key] += 1
        self._reasons[answer.reason] += 1
        return answer


def _as_text(body: Body) -> Body:
    """The same value for a shell: a text without quotes, everything else in JSON."""
    value = decode(body.content)
    content = value.encode() if isinstance(value, str) else body.content
    return Body(content, f'{body.etag[:-1]}-text"')

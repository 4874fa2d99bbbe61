"""`GET /v1/configs`, `/v1/configs/{key}` and `/v1/values/{key}`: the application's own reads."""

from aiohttp import web

from agent.local_api.answers import Answer, Answers, Body
from agent.local_api.errors import not_ready, unknown_key
from agent.local_api.guard import Guard
from agent.local_api.replies import prefers_text, reply
from agent.snapshot.store import SnapshotStore
from agent.snapshot.usage import Usage
from shared.domain.codec import decode

_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"


class Reads:
    """The handlers. Query parameters with an evaluation context are taken: no plain value depends on one."""

    def __init__(self, store: SnapshotStore, answers: Answers, guard: Guard, usage: Usage) -> None:
        self._store, self._answers, self._guard = store, answers, guard
        self._usage, self._counts = usage, usage.keys

    async def config(self, request: web.Request) -> web.Response:
        """The resolution of one key."""
        answer = self._one(request)
        return reply(request, answer.config, self._store.current.revision, _JSON)

    async def value(self, request: web.Request) -> web.Response:
        """The bare value of one key, as JSON, or for `Accept: text/plain` a text as it is."""
        answer, revision = self._one(request), self._store.current.revision
        if prefers_text(request.headers.get("Accept", "")):
            return reply(request, _as_text(answer.value), revision, _TEXT, "Accept")
        return reply(request, answer.value, revision, _JSON, "Accept")

    async def configs(self, request: web.Request) -> web.Response:
        """All configs, or those of a prefix, of one revision."""
        if not self._store.ready:
            raise not_ready()
        self._usage.bulk += 1
        body = self._answers.many(request.query.get("prefix", ""), sensitive=self._guard.shows_sensitive(request))
        return reply(request, body, self._store.current.revision, _JSON, "Authorization")

    def _one(self, request: web.Request) -> Answer:
        if not self._store.ready:
            raise not_ready()
        key = request.match_info["key"]
        answer = self._answers.one(key)
        if answer is None:
            raise unknown_key(key)
        if answer.sensitive:
            self._guard.require_sensitive(request, key)
        self._counts[key] += 1
        return answer


def _as_text(body: Body) -> Body:
    """The same value for a shell: a text without quotes, everything else in JSON."""
    value = decode(body.content)
    content = value.encode() if isinstance(value, str) else body.content
    return Body(content, f'{body.etag[:-1]}-text"')

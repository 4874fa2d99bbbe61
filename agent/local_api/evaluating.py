"""`POST /v1/evaluate` and `/v1/explain/{key}`: many keys for one context, and why one of them yields what it does."""

from collections.abc import Mapping

from agent.local_api.answers import Answers
from agent.local_api.asked import Asked
from agent.local_api.contexts import ContextError, context_of, query_context
from agent.local_api.errors import invalid, not_ready, unknown_key
from agent.local_api.guard import Guard
from agent.local_api.probes import skew_view
from agent.local_api.replies import bulky, require_json
from agent.local_api.reply import Reply, fresh
from agent.local_api.view import AgentView
from shared.domain.codec import Json
from shared.domain.context import EvaluationContext
from shared.domain.document import Fault
from shared.domain.entry import Kind
from shared.domain.scope import Level, is_key

MAX_KEYS = 1_000
"""Keys that one request names; without any, it gets all."""


class Evaluating:
    """The faces."""

    def __init__(self, view: AgentView, answers: Answers, guard: Guard) -> None:
        self._view, self._answers, self._guard = view, answers, guard

    def evaluate(self, asked: Asked) -> Reply:
        """The resolutions of many keys, all of one revision and one moment; one that cannot be had fails alone."""
        if not self._view.store.ready:
            raise not_ready()
        require_json(asked)
        document = _document(asked)
        if strange := sorted(document.keys() - {"context", "keys"}):
            raise invalid(Fault(f"/{strange[0]}", "is not known here; these are: context, keys"))
        keys, context = _keys(document), self._context(document)
        for key in keys or ():
            self._view.usage.keys[key] += 1
        self._view.usage.bulk += keys is None
        body = self._answers.evaluated(keys, context, sensitive=self._guard.shows_sensitive(asked))
        return bulky(asked, body, self._view.store.current.revision, "Authorization")

    def explain(self, asked: Asked) -> Reply:
        """Each step of the decision about a key, and what stands for it in each scope; no values."""
        store = self._view.store
        if not store.ready:
            raise not_ready()
        require_json(asked)
        key, snapshot = asked.key, store.current
        if asked.method == "POST":
            context = self._context(_document(asked))
        else:
            context = query_context(asked.pairs(), self._view.own)
        explanation = snapshot.program.explain(key, context, self._answers.now_ms)
        if explanation is None:
            effective = snapshot.effective.get(key)
            raise unknown_key(key, segment=effective is not None and effective.entry.kind == Kind.SEGMENT)
        document = {
            "app_id": snapshot.app_id,
            "environment": snapshot.environment,
            "revision": snapshot.revision,
            "scopes": [
                _standing(level, entries.get(key)) for level, entries in zip(Level, snapshot.scopes, strict=True)
            ],
            "agent": dict(self._view.own),
            "clock_skew": skew_view(self._view.skew),
            **explanation.document,
        }
        return fresh(document)

    def _context(self, document: Mapping[str, Json]) -> EvaluationContext:
        try:
            return context_of(document.get("context"), self._view.own)
        except ContextError as error:
            raise invalid(Fault(f"/context{error.pointer}", error.detail)) from error


def _standing(level: Level, entry: Json) -> Json:
    """What stands in one scope, as far as people may see it."""
    if entry is None:
        return {"scope": level, "kind": None}
    return {
        "scope": level,
        "kind": entry.kind,
        "version": entry.version,
        "revision": entry.revision,
        "rollout": bool(entry.rollout),
    }


def _document(asked: Asked) -> dict[str, Json]:
    document = asked.document() if asked.body else {}
    if not isinstance(document, dict):
        raise invalid(Fault("", "an object with `context`, and `keys` if not all are wanted"))
    return document


def _keys(document: Mapping[str, Json]) -> list[str] | None:
    keys = document.get("keys")
    if keys is None:
        return None
    if not isinstance(keys, list) or len(keys) > MAX_KEYS:
        raise invalid(Fault("/keys", f"a list of at most {MAX_KEYS:,} keys"))
    for index, key in enumerate(keys):
        if not isinstance(key, str) or not is_key(key):
            raise invalid(Fault(f"/keys/{index}", "is not a key"))
    return keys

"""`POST /v1/evaluate` and `/v1/explain/{key}`: many keys for one context, and why one of them yields what it does."""

from collections.abc import Container, Mapping
from typing import TYPE_CHECKING

from agent.local_api.answers import FEW, Answers, Body
from agent.local_api.asked import Asked
from agent.local_api.contexts import ContextError, asked_context, context_of
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

if TYPE_CHECKING:
    from agent.snapshot.model import Snapshot

_MEMBERS = frozenset({"context", "keys"})
_CHOOSY = frozenset({"accept-encoding", "if-none-match"})
"""Headers by which the same document is answered in one way or another."""
MAX_REPLIES = 1_000
"""Answers about few configs that are kept for one snapshot."""
MAX_KEYS = 1_000
"""Keys that one request names; without any, it gets all."""


class Evaluating:
    """The faces."""

    def __init__(self, view: AgentView, answers: Answers, guard: Guard) -> None:
        self._view, self._answers, self._guard = view, answers, guard
        self._replies: dict[Body, Reply] = {}
        self._replies_of: Snapshot | None = None

    def evaluate(self, asked: Asked) -> Reply:
        """The resolutions of many keys, all of one revision and one moment; one that cannot be had fails alone."""
        if not self._view.store.ready:
            raise not_ready()
        require_json(asked)
        document = _document(asked)
        if not document.keys() <= _MEMBERS:
            strange = min(document.keys() - _MEMBERS)
            raise invalid(Fault(f"/{strange}", "is not known here; these are: context, keys"))
        keys, context = _keys(document, self._view.store.current.effective), self._context(document)
        for key in keys or ():
            self._view.usage.keys[key] += 1
        self._view.usage.bulk += keys is None
        body = self._answers.evaluated(keys, context, sensitive=self._guard.shows_sensitive(asked))
        if keys is None or len(keys) > FEW or not _CHOOSY.isdisjoint(asked.headers):
            return bulky(asked, body, self._view.store.current.revision, "Authorization")
        return self._replies.get(body) or self._said(asked, body)

    def _said(self, asked: Asked, body: Body) -> Reply:
        """The reply of a document that will come again: it is the same object whenever the same configs come out alike."""
        if self._replies_of is not self._view.store.current or len(self._replies) >= MAX_REPLIES:
            self._replies, self._replies_of = {}, self._view.store.current
        said = self._replies[body] = bulky(asked, body, self._view.store.current.revision, "Authorization")
        return said

    def explain(self, asked: Asked) -> Reply:
        """Each step of the decision about a key, and what stands for it in each scope; no values."""
        store = self._view.store
        if not store.ready:
            raise not_ready()
        require_json(asked)
        key, snapshot = asked.key, store.current
        context = self._context(_document(asked)) if asked.method == "POST" else asked_context(asked, self._view.own)
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


def _keys(document: Mapping[str, Json], known: Container[str]) -> list[str] | None:
    keys = document.get("keys")
    if keys is None:
        return None
    if not isinstance(keys, list) or len(keys) > MAX_KEYS:
        raise invalid(Fault("/keys", f"a list of at most {MAX_KEYS:,} keys"))
    for index, key in enumerate(keys):
        if not isinstance(key, str) or not (key in known or is_key(key)):
            raise invalid(Fault(f"/keys/{index}", "is not a key"))
    return keys

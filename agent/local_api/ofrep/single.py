"""`POST /ofrep/v1/evaluate/flags/{key}`: one flag, for who asks. Every read of a server-side SDK is one of these."""

from agent.local_api.answers import Answers
from agent.local_api.asked import Asked
from agent.local_api.errors import ProblemError, not_ready
from agent.local_api.freshness import Freshness
from agent.local_api.guard import Guard
from agent.local_api.ofrep.credentials import with_bearer
from agent.local_api.ofrep.kept import KeptAnswers
from agent.local_api.ofrep.question import context_in
from agent.local_api.ofrep.refusal import RefusalError, refusal, told
from agent.local_api.reply import Reply
from agent.local_api.view import AgentView
from shared.domain.entry import Kind
from shared.domain.resolution import ErrorCode, Reason


class Single:
    """The face. What it answers was made when the outcome was first served."""

    def __init__(
        self, view: AgentView, answers: Answers, kept: KeptAnswers, freshness: Freshness, guard: Guard
    ) -> None:
        self._store, self._own, self._usage = view.store, view.own, view.usage
        self._answers, self._kept, self._freshness, self._guard = answers, kept, freshness, guard

    def evaluate(self, asked: Asked) -> Reply:
        """The flag's answer, or an error in the protocol's form."""
        try:
            return self._evaluate(asked, asked.key)
        except (RefusalError, ProblemError) as error:
            return refusal(error, asked.key)

    def _evaluate(self, asked: Asked, key: str) -> Reply:
        if not self._store.ready:
            raise not_ready()
        context, _ = context_in(asked, self._own)
        resolution = self._answers.resolved(key, context)
        if resolution is None:
            self._usage.reasons[Reason.ERROR.value] += 1
            raise RefusalError(ErrorCode.FLAG_NOT_FOUND, self._unknown(key), 404)
        answer = self._kept.of(resolution, stale=self._freshness.stale())
        if answer.sensitive:
            self._guard.require_sensitive(with_bearer(asked), key)
        self._usage.keys[key] += 1
        self._usage.reasons[answer.reason] += 1
        return answer.reply

    def _unknown(self, key: str) -> str:
        found = self._store.current.effective.get(key)
        if found is not None and found.entry.kind == Kind.SEGMENT:
            return f"{told(key)!r} is a segment: rules refer to it, but it has no value to be read."
        return f"There is no config {told(key)!r} for this application/environment."

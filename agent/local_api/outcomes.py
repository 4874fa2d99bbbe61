"""`POST /v1/outcomes`: applications tell how uses of configs ended, so that a candidate can be compared with its baseline.

Each count is of one rollout and one arm. Whoever kept `rollout` and `arm` of an answer says them; else the key is evaluated again
for the context that was asked with, at the moment of the use: the same context yields the same arm.
"""

import re
from dataclasses import dataclass

from agent.local_api.asked import Asked
from agent.local_api.contexts import ContextError, context_of
from agent.local_api.errors import ProblemError, not_ready
from agent.local_api.reply import JSON, Reply
from agent.local_api.view import AgentView
from agent.sync.outcomes import OLDEST_MS
from shared.domain.codec import Json, encode
from shared.domain.document import Fault
from shared.domain.scope import is_key
from shared.runtime.connection import SERVER
from shared.wire.problem import Problem, ProblemType, Violation

MAX_COUNTS = 500
MAX_NUMBER = 1_000_000_000
_AHEAD_MS = 5_000
"""How far an application's clock may be ahead of the agent's; both are on one machine."""
_MEMBERS = {"key", "context", "rollout", "arm", "success", "failure", "at"}
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ARMS = ("candidate", "baseline")


@dataclass(frozen=True, slots=True)
class _Count:
    rollout: str | None
    arm: str
    at_ms: int
    success: int
    failure: int


class OutcomesApi:
    """The face."""

    def __init__(self, view: AgentView) -> None:
        self._view = view

    def post(self, asked: Asked) -> Reply:
        """Count them, all or none. What was served under no rollout counts for nothing, and is told as `ignored`."""
        view = self._view
        if not view.store.ready:
            raise not_ready()
        now_ms = int(view.clock.now().timestamp() * 1000)
        counts = _read(asked.document())
        tagged = [self._tagged(each, now_ms) for each in counts]
        if violations := [each for each in tagged if isinstance(each, Violation)]:
            raise ProblemError(
                Problem(ProblemType.INVALID, "Outcomes are not valid; see violations.", tuple(violations))
            )
        known = [each for each in tagged if isinstance(each, _Count) and each.rollout and view.knows(each.rollout)]
        for each in known:
            view.outcomes.count(each.rollout or "", each.arm, each.at_ms, each.success, each.failure)
        document = {"counted": len(known), "ignored": len(tagged) - len(known)}
        return Reply(200, (("Content-Type", JSON), ("Server", SERVER)), encode(document))

    def _tagged(self, given: tuple[int, Json], now_ms: int) -> _Count | Violation:
        """One count with its rollout and arm."""
        index, document = given
        try:
            return self._count(document, now_ms)
        except _FaultError as fault:
            return Violation(f"/outcomes/{index}{fault.pointer}", fault.detail)

    def _count(self, document: Json, now_ms: int) -> _Count:
        if not isinstance(document, dict):
            raise _FaultError(Fault("", "an object with `success` and `failure`"))
        if strange := sorted(document.keys() - _MEMBERS):
            raise _FaultError(Fault(f"/{strange[0]}", f"is not known here; these are: {', '.join(sorted(_MEMBERS))}"))
        success, failure = (_number(document, name) for name in ("success", "failure"))
        at_ms = _moment(document, now_ms)
        if "rollout" in document:
            rollout, arm = _named(document)
            return _Count(rollout, arm, at_ms, success, failure)
        key = document.get("key")
        if not isinstance(key, str) or not is_key(key):
            raise _FaultError(Fault("/key", "name the config, or give the `rollout` of its answer"))
        try:
            context = context_of(document.get("context"), self._view.own)
        except ContextError as error:
            raise _FaultError(Fault(f"/context{error.pointer}", error.detail)) from error
        found = self._view.store.current.program.evaluate(key, context, at_ms)
        if found is None or found.rollout is None or found.arm is None:
            return _Count(None, "", at_ms, success, failure)
        return _Count(found.rollout, str(found.arm), at_ms, success, failure)


class _FaultError(Exception):
    """What is wrong with one count, and where."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.detail)
        self.pointer, self.detail = fault


def _read(document: Json) -> list[tuple[int, Json]]:
    given = document.get("outcomes", [document]) if isinstance(document, dict) else None
    if not isinstance(given, list) or not 0 < len(given) <= MAX_COUNTS:
        detail = f"Send one count, or from 1 to {MAX_COUNTS} of them as `outcomes`."
        raise ProblemError(Problem(ProblemType.INVALID, detail, (Violation("/outcomes", detail),)))
    return list(enumerate(given))


def _number(document: Json, name: str) -> int:
    number = document.get(name, 0)
    if type(number) is not int or not 0 <= number <= MAX_NUMBER:
        raise _FaultError(Fault(f"/{name}", f"a whole number from 0 to {MAX_NUMBER:,}"))
    return number


def _moment(document: Json, now_ms: int) -> int:
    at = document.get("at", now_ms)
    if type(at) is not int or not now_ms - OLDEST_MS <= at <= now_ms + _AHEAD_MS:
        raise _FaultError(Fault("/at", "a moment of the last hour, in unix milliseconds"))
    return min(at, now_ms)


def _named(document: Json) -> tuple[str, str]:
    rollout, arm = document["rollout"], document.get("arm")
    if not isinstance(rollout, str) or _ID.fullmatch(rollout) is None:
        raise _FaultError(Fault("/rollout", "the `rollout` of an answer"))
    if arm not in _ARMS:
        raise _FaultError(Fault("/arm", "the `arm` of an answer: candidate or baseline"))
    return rollout, str(arm)

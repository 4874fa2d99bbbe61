"""The one place where PostgreSQL's errors become ours: what is wrong with a draft, and everything else as away."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import asyncpg

from control_plane.domain.errors import (
    ConflictError,
    GuardedError,
    InvalidError,
    KeyReusedError,
    NotFoundError,
    ReferencesUncheckedError,
    RolloutRunningError,
    RulesMovedError,
    StaleRolloutError,
    TrimtabError,
    UnavailableError,
    ValuesMovedError,
    VersionMismatchError,
)
from control_plane.domain.guards import Guard, Hit, Mode
from shared.domain.codec import Json
from shared.domain.scope import Scope
from shared.wire.problem import Violation

DEPENDENCY = "postgresql"
RETRY_AFTER_S = 1
OUTCOME_UNKNOWN = (
    "the connection was lost while the change was being committed, so it may or may not have been: "
    "send the request again with the same Idempotency-Key"
)

_AWAY_CLASSES = re.compile(r"08|53|57P|40|55P03|25006|28|3D000|57014")
"""SQLSTATEs that may pass: connection, resources, operator intervention, rollback, lock, read only, credentials."""

_UNSTORABLE = ("22", "23514")
"""SQLSTATEs of data that a column's type or check does not take. The server's own text may hold values: not repeated."""

_GONE = "23503"
"""A row refers to one that is no longer there."""

_TEXT = {
    "audit-hash": "The audit record has another hash: the export that it was taken from is not of this chain.",
    "audit-archived": "Somebody else archived audit records meanwhile: export those that are left.",
    "audit-gap": "Audit records before this one are missing: verify the chain before anything is archived.",
    "exists": "A config that must not exist yet is there already.",
    "archived": "The application or the environment is archived: nothing is written to it until it is unarchived.",
    "not-archived": "It is not archived. What is deleted is archived first, so that nobody still relies on it.",
    "too-large": "It holds more than 100 MB of values, too much for one change: delete some of its configs first.",
    "state": "The stored change is no longer as it was read: somebody edited, committed or closed it meanwhile.",
    "rollout": "A rollout of a config of this change is in exposure.",
    "rollout_moved": "Something else happened to this rollout since it was read.",
    "moved": "A config of this change was changed since the base revision.",
}

_WAYS_OUT = {
    "rollout": "Promote or abort it first, or force the change, which ends it.",
    "archived": "Unarchive it first: POST {app}/unarchive or {own}/unarchive.",
    "not-archived": "POST {own}/archive first, or delete it with force=true.",
}


@contextmanager
def driver_errors(*, in_flight: str | None = None) -> Iterator[None]:
    """Translate what the driver raises inside the block.

    `in_flight` is what to say where the connection was lost before the answer came.
    """
    try:
        yield
    except asyncpg.PostgresError as error:
        raise _from_server(error, in_flight) from error
    except (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
        if isinstance(error, ValueError) and not isinstance(error, OSError):
            # The driver could not even encode an argument. A certificate that is not trusted is both kinds of error.
            raise InvalidError([Violation("", "A number or text is outside of what the database can hold.")]) from error
        lost = isinstance(error, asyncpg.InternalClientError | OSError) or "closed" in str(error)
        detail = in_flight if in_flight and lost else f"cannot be reached ({type(error).__name__})"
        raise UnavailableError(DEPENDENCY, detail, RETRY_AFTER_S) from error


def _from_server(error: asyncpg.PostgresError, in_flight: str | None) -> TrimtabError | asyncpg.PostgresError:
    state = error.sqlstate or ""
    if isinstance(error, asyncpg.PostgresConnectionError) and in_flight:
        return UnavailableError(DEPENDENCY, in_flight, RETRY_AFTER_S)
    if _AWAY_CLASSES.match(state):
        return UnavailableError(DEPENDENCY, _reason(error), RETRY_AFTER_S)
    if state == _GONE:
        return ConflictError("What this belongs to was deleted meanwhile.")
    if state.startswith(_UNSTORABLE):
        return InvalidError([Violation("", f"The database cannot store this ({type(error).__name__}).")])
    return error


def refusal(state: str, detail: Json) -> TrimtabError:
    """Why a draft was not carried out, from what `trimtab_refusal` found."""
    return _OURS[state](detail)


def _reason(error: asyncpg.PostgresError) -> str:
    return f"cannot serve now ({type(error).__name__})"


def _conflict(facts: Json) -> TrimtabError:
    reason = facts.pop("reason")
    if reason == "rollout":
        keys = ", ".join(f"{each['key']} ({each['scope']}): {each['id']}" for each in facts["rollouts"])
        return RolloutRunningError(f"{_TEXT[reason]} {keys}", **facts, hint=_WAYS_OUT[reason])
    if reason == "rollout_moved":
        return StaleRolloutError(_TEXT[reason], **facts)
    if "conflicts" not in facts:
        return ConflictError(_TEXT[reason], **facts, **_hint(reason, facts))
    keys = ", ".join(f"{each['key']} ({each['scope']})" for each in facts["conflicts"])
    return ConflictError(f"{_TEXT[reason]} {keys}", **facts)


def _hint(reason: str, facts: Json) -> dict[str, Json]:
    if reason not in _WAYS_OUT:
        return {}
    scope = Scope.parse(facts["scope"])
    path = f"/api/v1/apps/{scope.app_id}"
    own = f"{path}/environments/{scope.environment}" if scope.environment else path
    return {"hint": _WAYS_OUT[reason].format(app=path, own=own)}


def guard_hit(found: Json) -> Hit:
    """A guard that an operation hit, from what `trimtab_hits_of` found."""
    guard = Guard(found["guard"])
    if guard is Guard.KEY_REUSE:
        detail = "The key is that of a config that was deleted with another value."
    elif "before" in found:
        detail = f"The value is of the type {found['after']}; what is seen here now is of the type {found['before']}."
    else:
        detail = "The value is of another type than what is seen here now."
    return Hit(
        guard,
        Mode(found["mode"]),
        detail,
        found["app_id"] or None,
        found["environment"] or None,
        found["key"],
        f"/operations/{found['position']}/value"
        if guard is Guard.TYPE_CHANGE
        else f"/operations/{found['position']}/key",
    )


def _invalid(facts: Json) -> TrimtabError:
    return InvalidError([Violation(each["pointer"], each["detail"]) for each in facts["violations"]])


_OURS: dict[str, Callable[[Json], TrimtabError]] = {
    "TT404": lambda facts: NotFoundError(facts["kind"], facts["name"]),
    "TT409": _conflict,
    "TT410": lambda facts: KeyReusedError(f"Idempotency-Key {facts['key']!r} was used for another request."),
    "TT412": lambda facts: VersionMismatchError(facts["expected"], facts["current"]),
    "TT422": _invalid,
    "TT423": lambda facts: GuardedError([each for each in map(guard_hit, facts["hits"]) if each.refuses]),
    "TT426": lambda _facts: ValuesMovedError("Values that the change was checked against were changed meanwhile."),
    "TT427": lambda _facts: ReferencesUncheckedError("The change touches what refers to others, or is referred to."),
    "TT425": lambda _facts: RulesMovedError("Policies or schemas were changed while the change was checked."),
}
"""What `trimtab_refusal` and `trimtab_apply` return as `state`, each with its `detail`."""

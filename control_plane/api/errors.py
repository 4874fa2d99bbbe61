"""From an error of the domain to the problem that the caller sees: one table, used by one middleware."""

from collections.abc import Callable
from math import ceil
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import ContentEncodingError

from control_plane.domain.errors import (
    ApprovalRequiredError,
    ConflictError,
    CrossSiteError,
    ForbiddenError,
    GuardedError,
    InvalidError,
    KeyLostError,
    KeyReusedError,
    LockedOutError,
    LoginFailedError,
    LoginRefusedError,
    NotFoundError,
    OverloadedError,
    PreconditionRequiredError,
    RateLimitedError,
    RolloutRunningError,
    StagingRequiredError,
    StaleRolloutError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
    UnfitError,
    VersionMismatchError,
    WindowClosedError,
)
from control_plane.domain.rollouts.machine import IllegalActionError
from shared.domain.codec import Json
from shared.wire.problem import Problem, ProblemType, Violation


class MalformedError(Exception):
    """The request cannot be read; only HTTP knows this kind of wrong."""


class UnsupportedMediaError(Exception):
    """The body is not JSON by its own words."""


class MisdirectedError(Exception):
    """The request was meant for somebody else, by its Host."""


class NotReadyError(Exception):
    """A dependency that this replica needs is away."""

    def __init__(self, dependencies: list[Json], away: list[str]) -> None:
        super().__init__(f"Away: {', '.join(away)}.")
        self.dependencies = dependencies


def _invalid(error: InvalidError) -> Problem:
    return Problem(ProblemType.INVALID, "The request is not valid; see violations.", error.violations)


def _unfit(error: UnfitError) -> Problem:
    facts: dict[str, Json] = {
        "schema_violations": [each.document() for each in error.unfit],
        "schema_violations_total": error.total,
    }
    detail = "Effective values would not be what their schemas allow; see schema_violations."
    return Problem(ProblemType.INVALID, detail, error.violations, extensions=facts)


def _too_large(error: TooLargeError) -> Problem:
    facts: dict[str, Json] = {"limit": error.limit, "allowed": error.allowed}
    return Problem(ProblemType.TOO_LARGE, str(error), (Violation(error.pointer, str(error)),), extensions=facts)


def _conflict(kind: ProblemType) -> Callable[[ConflictError], Problem]:
    return lambda error: Problem(kind, error.detail, extensions=dict(error.facts))


def _version(error: VersionMismatchError) -> Problem:
    return Problem(ProblemType.VERSION_MISMATCH, str(error), extensions={"current_version": error.current})


def _unavailable(error: UnavailableError) -> Problem:
    # The driver's own words stay in the log: they name hosts and users.
    detail = f"{error.dependency} is away."
    return Problem(ProblemType.UNAVAILABLE, detail, retry_after=error.retry_after)


def _rate_limited(error: RateLimitedError) -> Problem:
    facts: dict[str, Json] = {"limit": str(error.kind), "allowed": error.rate.burst}
    return Problem(ProblemType.RATE_LIMITED, str(error), retry_after=max(1, ceil(error.wait)), extensions=facts)


def _plain(kind: ProblemType, detail: str | None = None) -> Callable[[Exception], Problem]:
    return lambda error: Problem(kind, detail or str(error) or kind.title)


_TABLE: dict[type[Exception], Callable[[Any], Problem]] = {
    MalformedError: _plain(ProblemType.MALFORMED),
    ContentEncodingError: _plain(ProblemType.MALFORMED, "The body is not encoded as Content-Encoding says."),
    web.RequestPayloadError: _plain(ProblemType.MALFORMED, "The body ended early or is not encoded as it says."),
    MisdirectedError: _plain(ProblemType.MISDIRECTED, "The API is not called by this Host."),
    UnauthenticatedError: _plain(ProblemType.UNAUTHENTICATED, "No valid token was given."),
    LoginRefusedError: _plain(
        ProblemType.LOGIN_REFUSED, "The name or the password is wrong, or the account may not log in."
    ),
    LoginFailedError: _plain(ProblemType.LOGIN_FAILED),
    LockedOutError: lambda error: Problem(
        ProblemType.TOO_MANY_REQUESTS, str(error), retry_after=max(1, ceil(error.wait))
    ),
    CrossSiteError: _plain(ProblemType.CROSS_SITE),
    ForbiddenError: lambda error: Problem(
        ProblemType.FORBIDDEN, str(error), extensions={"permission": error.permission}
    ),
    NotFoundError: _plain(ProblemType.NOT_FOUND),
    KeyReusedError: _conflict(ProblemType.KEY_REUSED),
    GuardedError: _conflict(ProblemType.GUARDED),
    UnfitError: _unfit,
    ApprovalRequiredError: _conflict(ProblemType.APPROVAL_REQUIRED),
    RolloutRunningError: _conflict(ProblemType.ROLLOUT_RUNNING),
    IllegalActionError: _conflict(ProblemType.ROLLOUT_PHASE),
    StaleRolloutError: _conflict(ProblemType.ROLLOUT_MOVED),
    StagingRequiredError: _conflict(ProblemType.STAGING_REQUIRED),
    WindowClosedError: _conflict(ProblemType.WINDOW_CLOSED),
    ConflictError: _conflict(ProblemType.CONFLICT),
    VersionMismatchError: _version,
    TooLargeError: _too_large,
    UnsupportedMediaError: _plain(ProblemType.UNSUPPORTED_MEDIA),
    InvalidError: _invalid,
    PreconditionRequiredError: _plain(ProblemType.PRECONDITION_REQUIRED, "This operation needs the header If-Match."),
    RateLimitedError: _rate_limited,
    OverloadedError: lambda error: Problem(ProblemType.OVERLOADED, str(error), retry_after=error.retry_after),
    UnavailableError: _unavailable,
    KeyLostError: lambda error: Problem(ProblemType.KEY_LOST, str(error), extensions={"key": error.key}),
    NotReadyError: lambda error: Problem(
        ProblemType.NOT_READY, str(error), retry_after=1, extensions={"dependencies": error.dependencies}
    ),
}


def translate(error: Exception) -> Problem | None:
    """The problem for an error; None for one that is not in the table: a bug."""
    for kind in type(error).__mro__:
        if (make := _TABLE.get(kind)) is not None:
            return make(error)
    return None

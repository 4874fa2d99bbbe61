"""Errors in the protocol's form. Whatever went wrong, a client gets JSON with the members that it looks for."""

from unicodedata import category

from agent.local_api.errors import ProblemError
from agent.local_api.reply import Reply
from shared.domain.codec import Json, encode
from shared.domain.resolution import ErrorCode
from shared.runtime.connection import SERVER
from shared.wire.problem import Problem, ProblemType

JSON_HEADERS = (("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("Server", SERVER))
MAX_TOLD = 255
"""Characters of a key that an answer repeats: no key is longer."""

_CODES = {ProblemType.NOT_READY: ErrorCode.PROVIDER_NOT_READY, ProblemType.MALFORMED: ErrorCode.PARSE_ERROR}
_STATUSES = {ProblemType.INVALID: 400}
"""Of what the protocol has another status for."""


class RefusalError(Exception):
    """A request that is answered with an error code of OpenFeature."""

    def __init__(self, code: ErrorCode, details: str, status: int = 400) -> None:
        super().__init__(details)
        self.code, self.details, self.status = code, details, status


def refusal(error: RefusalError | ProblemError, key: str | None) -> Reply:
    """The reply for an error; `key` is None for a bulk."""
    if isinstance(error, RefusalError):
        return _reply(error.status, error.code, error.details, key)
    return of_problem(error.problem, key)


def of_problem(problem: Problem, key: str | None) -> Reply:
    """The reply for a problem that the whole local API has."""
    headers: list[tuple[str, str]] = []
    if problem.retry_after is not None:
        headers.append(("Retry-After", str(problem.retry_after)))
    if problem.type is ProblemType.UNAUTHENTICATED:
        headers.append(("WWW-Authenticate", 'Bearer realm="trimtab"'))
    details = f"{problem.detail} {problem.type.hint}"
    status = _STATUSES.get(problem.type, problem.type.status)
    return _reply(status, _CODES.get(problem.type, ErrorCode.GENERAL), details, key, tuple(headers))


def _reply(
    status: int, code: ErrorCode, details: str, key: str | None, headers: tuple[tuple[str, str], ...] = ()
) -> Reply:
    document: dict[str, Json] = {} if key is None else {"key": told(key)}
    document |= {"errorCode": code, "errorDetails": details}
    return Reply(status, JSON_HEADERS + headers, encode(document))


def told(key: str) -> str:
    """A key as an answer may repeat it, whatever a stranger sent."""
    return "".join(each if category(each)[0] != "C" else "\N{REPLACEMENT CHARACTER}" for each in key[:MAX_TOLD])

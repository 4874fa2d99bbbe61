"""Errors as AppConfig's agent gives them: a text that begins with the name of an exception."""

from agent.local_api.reply import Reply
from shared.runtime.connection import SERVER
from shared.wire.problem import Problem, ProblemType

_EXCEPTIONS = {
    ProblemType.NOT_FOUND: (404, "ResourceNotFoundException"),
    ProblemType.UNAUTHENTICATED: (401, "UnauthorizedException"),
    ProblemType.FORBIDDEN: (403, "AccessDeniedException"),
    ProblemType.NOT_READY: (502, "BadGatewayException"),
}
_BAD_REQUEST = (400, "BadRequestException")


def failure(problem: Problem) -> Reply:
    """The reply for a problem."""
    status, exception = _EXCEPTIONS.get(problem.type, _BAD_REQUEST)
    headers = [("Content-Type", "application/text"), ("Cache-Control", "no-store"), ("Server", SERVER)]
    if problem.retry_after is not None:
        headers.append(("Retry-After", str(problem.retry_after)))
    if status == ProblemType.UNAUTHENTICATED.status:
        headers.append(("WWW-Authenticate", 'Bearer realm="trimtab"'))
    wrong = "; ".join(f"{each.pointer} {each.detail}" for each in problem.violations)
    return Reply(status, tuple(headers), f"{exception}: {wrong or problem.detail}".encode(errors="backslashreplace"))

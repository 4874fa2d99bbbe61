"""The local API's errors: each carries the problem that the application gets to see."""

from agent.local_api.reply import Reply
from shared.domain.document import Fault
from shared.domain.resolution import ErrorCode
from shared.runtime.http import REQUEST_ID_HEADER, problem_headers
from shared.runtime.request_id import new_request_id
from shared.wire.problem import Problem, ProblemType, Violation


class ProblemError(Exception):
    """A request that cannot be answered as it was meant."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def problem_reply(problem: Problem) -> Reply:
    """The answer for a problem, with a request id of its own."""
    request_id = new_request_id()
    headers = (*problem_headers(problem).items(), (REQUEST_ID_HEADER, request_id))
    return Reply(problem.type.status, headers, problem.encode(request_id))


def translate(error: Exception) -> Problem | None:
    """The problem of one of our errors; None for anything else."""
    return error.problem if isinstance(error, ProblemError) else None


def not_ready() -> ProblemError:
    """Nothing can be read before the first snapshot."""
    detail = "The agent has no snapshot yet: it has never reached the control plane, and kept none."
    return ProblemError(
        Problem(ProblemType.NOT_READY, detail, retry_after=1, extensions={"error_code": "PROVIDER_NOT_READY"})
    )


def unknown_key(key: str, *, segment: bool = False) -> ProblemError:
    """This application/environment sees no config of this key."""
    detail = f"There is no config {key!r} for this application/environment."
    if segment:
        detail = f"{key!r} is a segment: rules refer to it, but it has no value to be read."
    return ProblemError(Problem(ProblemType.NOT_FOUND, detail, extensions={"error_code": "FLAG_NOT_FOUND", "key": key}))


def no_value(key: str, error_code: str | None) -> ProblemError:
    """There is a config, and this agent cannot make out what it yields, or cannot have the secret that it refers to."""
    if error_code == ErrorCode.GENERAL:
        detail = f"The secret that {key!r} refers to cannot be had now; the agent's /status says why."
        extensions = {"error_code": error_code, "key": key}
        return ProblemError(Problem(ProblemType.UNAVAILABLE, detail, retry_after=1, extensions=extensions))
    detail = f"{key!r} has no value that this agent understands: use the application's own, and update the agent."
    return ProblemError(Problem(ProblemType.NOT_FOUND, detail, extensions={"error_code": error_code, "key": key}))


def not_json(error: Exception) -> ProblemError:
    """The body cannot be read."""
    return ProblemError(Problem(ProblemType.MALFORMED, f"The body is not JSON: {error}."))


def wrong_media_type(media: str) -> ProblemError:
    """The body says that it is something else than JSON."""
    return ProblemError(Problem(ProblemType.UNSUPPORTED_MEDIA, f"The body is sent as {media[:100]!r}, not as JSON."))


def not_acceptable(accept: str, forms: str) -> ProblemError:
    """A reader takes nothing that there is."""
    return ProblemError(Problem(ProblemType.NOT_ACCEPTABLE, f"Accept: {accept[:200]!r} leaves out {forms}."))


def invalid(fault: Fault) -> ProblemError:
    """Something of the request cannot be taken."""
    text = "The request is not valid; see violations."
    return ProblemError(Problem(ProblemType.INVALID, text, (Violation(*fault),)))

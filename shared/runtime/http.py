"""Serving HTTP, the same way in both programs: request ids, problems, bounded shutdown, loopback TCP or unix socket."""

import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from ssl import SSLContext

import anyio
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from shared.runtime.binding import BACKLOG, bound
from shared.runtime.connection import SERVER, Front, Runner, Site
from shared.runtime.listen import Listen
from shared.runtime.request_id import new_request_id
from shared.wire.problem import CONTENT_TYPE, Problem, ProblemType

REQUEST_ID_HEADER = "X-Request-Id"
REQUEST_ID = web.RequestKey("request_id", str)
_TOLD_LENGTH = 200
_SAFE_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")

_log = logging.getLogger(__name__)

Translate = Callable[[Exception], Problem | None]
"""Turns an error of the program into a problem; None for one that it does not know: a bug."""

_FROM_STATUS = {each.status: each for each in reversed(ProblemType)}


class AddressInUseError(Exception):
    """Somebody else listens where we should."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address


def problem_response(problem: Problem, request: web.BaseRequest) -> web.Response:
    """The HTTP answer for a problem."""
    body = problem.encode(request.get(REQUEST_ID, ""))
    return web.Response(status=problem.type.status, body=body, headers=problem_headers(problem))


def problem_headers(problem: Problem) -> dict[str, str]:
    """The headers of its answer."""
    headers = {"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store", "Server": SERVER}
    if problem.retry_after is not None:
        headers["Retry-After"] = str(problem.retry_after)
    if problem.type is ProblemType.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = 'Bearer realm="trimtab"'
    return headers


def problems_middleware(translate: Translate, *, always_named: bool = True) -> Middleware:
    """One middleware that gives every request an id and answers every error as a problem.

    The id is told in every answer; unless `always_named`, only in problems and to whoever gave one.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get(REQUEST_ID_HEADER, "")
        request_id = given if _SAFE_ID.fullmatch(given) else new_request_id()
        request[REQUEST_ID] = request_id
        try:
            response = await handler(request)
        except web.HTTPException as error:
            if error.status < 400:  # noqa: PLR2004 - not an error: a redirect or 304 raised as one
                raise
            response = problem_response(_from_aiohttp(error, request), request)
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
        except (web.RequestPayloadError, ConnectionError):
            broken = Problem(ProblemType.MALFORMED, "The body did not come as its headers say.")
            response = problem_response(broken, request)
        except Exception as error:  # noqa: BLE001 - the edge of the program: what is unknown becomes a bare 500
            problem = translate(error)
            if problem is None:
                _log.exception("unexpected error", extra={"request_id": request_id, "path": request.path})
                problem = Problem(ProblemType.INTERNAL, "The request could not be completed.")
            response = problem_response(problem, request)
        if not response.prepared and (always_named or given or response.status >= 400):  # noqa: PLR2004 - an error
            response.headers[REQUEST_ID_HEADER] = request_id
        return response

    return middleware


def _from_aiohttp(error: web.HTTPException, request: web.Request) -> Problem:
    kind = _FROM_STATUS.get(error.status, ProblemType.MALFORMED)
    match error:
        case web.HTTPNotFound():
            detail = f"There is nothing at {_told(request.rel_url.raw_path)}."
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            detail = f"{_told(request.method)} is not available at {_told(request.rel_url.raw_path)}; {allowed} are."
        case web.HTTPRequestEntityTooLarge():
            detail = "The body is larger than this endpoint takes."
        case _:
            detail = error.text or error.reason
    return Problem(kind, detail)


def _told(text: str) -> str:
    """A part of a request as an answer may repeat it."""
    text = text.encode("ascii", "backslashreplace").decode()
    return text if len(text) <= _TOLD_LENGTH else f"{text[:_TOLD_LENGTH]}…"


@asynccontextmanager
async def serving(
    app: web.Application,
    listen: Listen,
    *,
    grace: float = 5.0,
    socket_mode: int = 0o660,
    server_options: Mapping[str, object] | None = None,
    front: Front | None = None,
    tls: SSLContext | None = None,
) -> AsyncIterator[Listen]:
    """Listen and serve `app` until the block ends, then let running requests finish for at most `grace` seconds.

    `front` gets every connection first, if there is one; it speaks no TLS.

    Yields the address that is really listened on (its port where port 0 was asked for).

    Raises:
        AddressInUseError: the port or the socket is taken.
    """
    runner = Runner(app, grace=grace, **(server_options or {}))
    await runner.setup()
    try:
        at = await _listen(runner, front, tls, listen, socket_mode)
        try:
            yield at
        finally:
            if front is not None:
                front.close()
            if listen.path is not None:
                listen.path.unlink(missing_ok=True)
    finally:
        with anyio.CancelScope(shield=True):
            await runner.cleanup()


async def _listen(runner: Runner, front: Front | None, tls: SSLContext | None, listen: Listen, mode: int) -> Listen:
    """Where we listen from now on; the sockets are closed with whoever got them."""
    try:
        sockets = bound(listen, mode)
    except OSError as error:
        raise AddressInUseError(str(listen)) from error
    if front is not None:
        front.open(sockets, runner.accepting)
    else:
        for each in sockets:
            await Site(runner, each, ssl_context=tls, backlog=BACKLOG).start()
    return listen if listen.path else Listen(listen.host, sockets[0].getsockname()[1])


__all__ = [
    "REQUEST_ID",
    "REQUEST_ID_HEADER",
    "SERVER",
    "AddressInUseError",
    "Listen",
    "Translate",
    "problem_headers",
    "problem_response",
    "problems_middleware",
    "serving",
]

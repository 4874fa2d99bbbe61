"""What lets pages of other origins read from the agent: off, unless the agent is told which origins."""

from collections.abc import Iterable

from aiohttp import web
from aiohttp.typedefs import Handler

_ALLOWED = (
    ("Access-Control-Allow-Methods", "GET, HEAD, POST"),
    (
        "Access-Control-Allow-Headers",
        "Authorization, Content-Type, If-None-Match, Last-Event-ID, X-API-Key, X-Request-Id",
    ),
    ("Access-Control-Max-Age", "600"),
)
_EXPOSED = "ETag, Retry-After, Trimtab-Revision, X-Request-Id"
_PRIVATE = "Access-Control-Allow-Private-Network"


class Cors:
    """Answers preflights, and marks answers for the origins that may read them. It stands behind the guard.

    No origin is ever `*`: on a developer's machine that would be every page of the web. No cookies are ever allowed.
    """

    def __init__(self, origins: Iterable[str] = ()) -> None:
        self._origins = frozenset(origins)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a preflight; everything else goes its way."""
        preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        if not preflight or request.headers.get("Origin") not in self._origins:
            return await handler(request)
        response = web.Response(status=204, headers=_ALLOWED)
        if "Access-Control-Request-Private-Network" in request.headers:
            response.headers[_PRIVATE] = "true"
        return response

    async def mark(self, request: web.Request, response: web.StreamResponse) -> None:
        """Say on any answer, be it an error or a stream, who may read it."""
        if not self._origins:
            return
        response.headers.add("Vary", "Origin")
        if (origin := request.headers.get("Origin")) in self._origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED

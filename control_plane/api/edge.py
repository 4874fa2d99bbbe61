"""Before any route: whether a request is meant for us at all, and what browsers are told about every answer."""

from collections.abc import Awaitable, Callable

from aiohttp import HttpVersion10, HttpVersion11, hdrs, web
from aiohttp.typedefs import Handler, Middleware

from control_plane.api.errors import MalformedError, MisdirectedError
from control_plane.api.rate_limits import ALLOWANCE, headers_of
from control_plane.domain.edge import Edge
from control_plane.domain.proxies import TrustedProxies
from shared.runtime.http import REQUEST_ID, REQUEST_ID_HEADER, SERVER

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_HSTS = "max-age=31536000"
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-Id",
    "Access-Control-Max-Age": "600",
}
_EXPOSED = "ETag, Idempotency-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, Trimtab-Stale, X-Request-Id"


def edge_middleware(edge: Edge) -> Middleware:
    """Refuses what is not meant for us, and answers preflights of the origins that may call."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        _require_host(edge, request)
        if request.method == hdrs.METH_OPTIONS and request.headers.get(hdrs.ORIGIN) in edge.origins:
            return web.Response(status=204, headers=_PREFLIGHT)
        return await handler(request)

    return middleware


def _require_host(edge: Edge, request: web.Request) -> None:
    if request.version < HttpVersion10:
        msg = "A request is one in HTTP/1.1."
        raise MalformedError(msg)
    named = request.headers.getall(hdrs.HOST, ())
    if len(named) != 1:
        if not named and request.version < HttpVersion11:
            return
        msg = "A request has one Host header."
        raise MalformedError(msg)
    if not edge.serves(named[0]) or not edge.serves(request.host):  # the second is the URL's, where that is a whole one
        raise MisdirectedError


def marking(edge: Edge, proxies: TrustedProxies) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Puts on an answer what it does not say itself; also on streams, which start before any middleware sees them."""

    async def mark(request: web.Request, response: web.StreamResponse) -> None:
        headers = response.headers
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
        headers.update(headers_of(request.get(ALLOWANCE)))
        headers["Server"] = SERVER
        headers.setdefault(REQUEST_ID_HEADER, request.get(REQUEST_ID, ""))
        if request.secure or _came_over_tls(request, proxies):
            headers["Strict-Transport-Security"] = _HSTS
        if edge.origins:
            _mark_origin(edge, request, response)

    return mark


def _came_over_tls(request: web.Request, proxies: TrustedProxies) -> bool:
    """Whether a proxy that we trust says so."""
    proto = request.headers.get(hdrs.X_FORWARDED_PROTO)
    return proto == "https" and proxies.trusts(request.remote or "")


def _mark_origin(edge: Edge, request: web.Request, response: web.StreamResponse) -> None:
    response.headers.add(hdrs.VARY, hdrs.ORIGIN)
    if (origin := request.headers.get(hdrs.ORIGIN)) in edge.origins:
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
        response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _EXPOSED

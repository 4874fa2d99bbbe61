"""Every request is counted, timed and logged by its route.

Neither bodies nor tokens nor queries are logged: they may hold what nobody else should see. Whoever is turned away is
always logged, with the address.
"""

import logging
from functools import cache

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from control_plane.api.call import ADDRESS, address_of
from control_plane.api.endpoint import PRINCIPAL, ROUTE
from control_plane.domain.proxies import TrustedProxies
from control_plane.metrics import Metrics
from shared.runtime.clock import Clock
from shared.runtime.http import REQUEST_ID

_READS = {hdrs.METH_GET, hdrs.METH_HEAD}
_METHODS = _READS | {hdrs.METH_POST, hdrs.METH_PUT, hdrs.METH_DELETE, hdrs.METH_PATCH, hdrs.METH_OPTIONS}
_REFUSED = {401, 403}
_SERVER_ERROR = 500

_log = logging.getLogger(__name__)


def observing_middleware(metrics: Metrics, clock: Clock, proxies: TrustedProxies) -> Middleware:
    """The outermost middleware: measures whatever the ones inside answer."""
    answered, lasted = cache(metrics.requests.labels), cache(metrics.latency.labels)  # routes are few, requests many

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = clock.monotonic()
        request[ADDRESS] = proxies.origin(request.remote or "", request.headers.getall(proxies.header, ()))
        response = await handler(request)
        took = clock.monotonic() - began
        route = _template(request)
        method = request.method if request.method in _METHODS else "other"
        answered(method, route, response.status).inc()
        if not _streams(request):
            lasted(method, route).observe(took)
        if _log.isEnabledFor(level := _level(request.method, response.status)):
            _log.log(level, "request", extra=_line(request, route, response.status, took))
        return response

    return middleware


def _template(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unknown"


def _streams(request: web.Request) -> bool:
    route = request.get(ROUTE)
    return route is not None and route.streams


def _level(method: str, status: int) -> int:
    if status >= _SERVER_ERROR or status in _REFUSED:
        return logging.WARNING
    return logging.DEBUG if method in _READS else logging.INFO


def _line(request: web.Request, route: str, status: int, took: float) -> dict[str, object]:
    return {
        "request_id": request.get(REQUEST_ID, ""),
        "principal": request.get(PRINCIPAL, ""),
        "address": address_of(request),
        "method": request.method,
        "route": route,
        "status": status,
        "ms": round(took * 1_000, 2),
    }

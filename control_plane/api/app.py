"""The HTTP application: the table of routes, put into service."""

from aiohttp import web
from anyio import Event

from control_plane.api.edge import edge_middleware, marking
from control_plane.api.endpoint import Endpoint
from control_plane.api.errors import translate
from control_plane.api.observe import observing_middleware
from control_plane.api.openapi import describe
from control_plane.api.page import OPENAPI
from control_plane.api.rate_limits import RateLimits
from control_plane.api.routes import ROUTES
from control_plane.api.services import Services
from control_plane.api.watch import STOPPING
from shared.domain.codec import encode
from shared.runtime.http import problems_middleware


def build_app(services: Services) -> web.Application:
    """Build the application that serves every route with these services."""
    app = web.Application(
        middlewares=[
            observing_middleware(services.metrics, services.clock, services.proxies),
            problems_middleware(translate),
            edge_middleware(services.edge),
        ],
        client_max_size=services.limits.body_bytes,
    )
    app[STOPPING] = Event()
    app[OPENAPI] = encode(describe(ROUTES, services.limits))
    app.on_response_prepare.append(marking(services.edge, services.proxies))
    app.on_shutdown.append(_end_streams)
    limits = RateLimits(services.rates)
    for route in ROUTES:
        answer = Endpoint(route, services, limits).answer
        resource = app.router.add_resource(route.path)
        resource.add_route(route.method, answer)
        if route.method == "GET":
            resource.add_route("HEAD", answer)
    return app


async def _end_streams(app: web.Application) -> None:
    app[STOPPING].set()

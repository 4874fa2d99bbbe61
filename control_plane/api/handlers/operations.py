"""What operators of the control plane itself look at: health, readiness, metrics, and this documentation."""

from functools import partial

import anyio
from aiohttp import web
from prometheus_client import generate_latest

from control_plane.api import page
from control_plane.api.bodies.operations import DependencyView, HealthView, ReadinessView
from control_plane.api.call import Call, reply
from control_plane.api.errors import NotReadyError
from control_plane.api.services import Services
from control_plane.domain.errors import NotFoundError
from control_plane.ports.probes import DependencyState, Probe


async def get_health(_services: Services, _call: Call[None, None]) -> web.StreamResponse:
    """Say that the process is alive."""
    return reply(HealthView("ok"))


async def get_readiness(services: Services, _call: Call[None, None]) -> web.StreamResponse:
    """Say whether this replica can serve, and the state of each dependency.

    When a required one is away the answer is a problem, with the same `dependencies`.
    """
    states: list[DependencyState] = []
    async with anyio.create_task_group() as group:
        for probe in services.probes:
            group.start_soon(partial(_ask, probe, states))
    states.sort(key=lambda state: state.name)
    views = tuple(map(DependencyView.of, states))
    if away := [state.name for state in states if state.required and not state.ok]:
        raise NotReadyError(list(views), away)
    return reply(ReadinessView(ready=True, dependencies=views))


async def get_metrics(services: Services, _call: Call[None, None]) -> web.StreamResponse:
    """Show the metrics of this replica, for Prometheus."""
    return web.Response(
        body=generate_latest(services.metrics.registry),
        headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
    )


async def get_openapi(_services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Show this API as an OpenAPI document."""
    return web.Response(body=call.request.app[page.OPENAPI], content_type="application/json")


async def get_docs(_services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Show this API to people."""
    return page.response(call.request, "index.html")


async def get_docs_file(_services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Serve a part of the page for people."""
    name = call.request.match_info["file"]
    if name not in page.FILES:
        kind = "file"
        raise NotFoundError(kind, name)
    return page.response(call.request, name)


async def _ask(probe: Probe, states: list[DependencyState]) -> None:
    states.append(await probe.probe())

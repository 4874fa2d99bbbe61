"""Applications and environments at their end: archived, unarchived, deleted."""

from typing import Any

from aiohttp import web

from control_plane.api.bodies.apps import AppView, Archival, DeletionQuery, DeletionView
from control_plane.api.call import Call, reply
from control_plane.api.services import Services
from control_plane.domain.change import App
from control_plane.services.retirement import require_confirmation
from shared.domain.scope import Scope


async def archive_app(services: Services, call: Call[Archival, None]) -> web.StreamResponse:
    """Archive an application.

    It disappears from lists and nothing is written to it any more, in none of its environments. Its agents are served
    as ever and their tokens work. Refused while agents are live there, unless forced.
    """
    return await _archive(services, call, Scope(call.app_id))


async def archive_environment(services: Services, call: Call[Archival, None]) -> web.StreamResponse:
    """Archive an environment.

    It disappears from lists and nothing is written to it any more. Its agents are served as ever and their tokens work.
    Refused while agents are live there, unless forced.
    """
    return await _archive(services, call, Scope(call.app_id, call.environment))


async def unarchive_app(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Unarchive an application.

    Environments that were archived for themselves stay archived.
    """
    return _shown(await services.retirement.unarchive(Scope(call.app_id), call.attribution))


async def unarchive_environment(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Unarchive an environment."""
    return _shown(await services.retirement.unarchive(Scope(call.app_id, call.environment), call.attribution))


async def delete_app(services: Services, call: Call[None, DeletionQuery]) -> web.StreamResponse:
    """Delete an application with its environments, their configs and the tokens of their agents.

    It is archived first, or the deletion is forced; and refused while agents are live there, unless forced. Its configs
    are deleted by one change, of which agents hear; its versions, changes and audit records stay. Either all of it
    happens or nothing. An application that is registered later under the same name goes on counting where this one
    ended.
    """
    return await _delete(services, call, Scope(call.app_id))


async def delete_environment(services: Services, call: Call[None, DeletionQuery]) -> web.StreamResponse:
    """Delete an environment with its configs and the tokens of its agents.

    It is archived first, or the deletion is forced; and refused while agents are live there, unless forced. Its configs
    are deleted by one change, of which agents hear; its versions, changes and audit records stay. Either all of it
    happens or nothing.
    """
    return await _delete(services, call, Scope(call.app_id, call.environment))


async def _archive(services: Services, call: Call[Archival, None], scope: Scope) -> web.StreamResponse:
    require_confirmation(call.body.confirm, scope, "/confirm")
    return _shown(await services.retirement.archive(scope, call.attribution, force=call.body.force))


async def _delete(services: Services, call: Call[Any, DeletionQuery], scope: Scope) -> web.StreamResponse:
    query = call.query
    require_confirmation(query.confirm, scope, "?confirm")
    deleted = await services.retirement.delete(scope, query.message, call.attribution, force=query.force)
    return reply(DeletionView.of(deleted))


def _shown(app: App) -> web.Response:
    return reply(AppView.of(app), headers={"Location": f"/api/v1/apps/{app.app_id}"})

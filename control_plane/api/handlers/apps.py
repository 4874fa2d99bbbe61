"""Applications, their environments, and the tokens of their agents."""

from collections.abc import Iterable
from dataclasses import replace

from aiohttp import web

from control_plane.api.bodies.apps import (
    AgentTokenView,
    AppQuery,
    AppUpdate,
    AppView,
    EnvironmentView,
    NewAgentToken,
    NewAgentTokenView,
    NewApp,
    NewEnvironment,
)
from control_plane.api.bodies.pages import PageQuery, PageView
from control_plane.api.call import Call, reply
from control_plane.api.paging import cut_page
from control_plane.api.services import Services
from control_plane.api.sight import sifted
from control_plane.domain.access.decision import may_somewhere
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.principal import Principal
from control_plane.domain.access.reach import Place
from control_plane.domain.change import App
from control_plane.domain.errors import NotFoundError
from control_plane.ports.pages import Page

_APPS = "/api/v1/apps"


async def create_app(services: Services, call: Call[NewApp, None]) -> web.StreamResponse:
    """Register an application."""
    app = await services.registry.create_app(call.body.app_id, call.body.description, call.attribution)
    return reply(AppView.of(app), 201, {"Location": f"{_APPS}/{app.app_id}"})


async def list_apps(services: Services, call: Call[None, AppQuery]) -> web.StreamResponse:
    """List the applications by name."""
    query = call.query

    async def read(cursor: str | None) -> Page[App]:
        size = call.page_size(query.limit)
        return await services.registry.list_apps(limit=size, cursor=cursor, include_archived=query.include_archived)

    page = await sifted(call.principal, Permission.APPS_READ, _places, read, query.cursor, asking=may_somewhere)
    shown = (_seen(call.principal, each) for each in page.items)
    return reply(PageView(tuple(map(AppView.of, shown)), page.next_cursor))


async def get_app(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Show one application and its environments."""
    return reply(AppView.of(_seen(call.principal, await services.registry.get_app(call.app_id))))


async def update_app(services: Services, call: Call[AppUpdate, None]) -> web.StreamResponse:
    """Give an application another description."""
    return reply(AppView.of(await services.registry.describe_app(call.app_id, call.body.description, call.attribution)))


async def create_environment(services: Services, call: Call[NewEnvironment, None]) -> web.StreamResponse:
    """Register an environment of an application."""
    app_id, environment = call.app_id, call.body.environment
    await services.registry.create_environment(app_id, environment, call.attribution)
    return reply(
        EnvironmentView(app_id, environment, archived=False), 201, {"Location": f"{_APPS}/{app_id}/environments"}
    )


async def list_environments(services: Services, call: Call[None, AppQuery]) -> web.StreamResponse:
    """List the environments of an application."""
    app = _seen(call.principal, await services.registry.get_app(call.app_id))
    environments = [EnvironmentView(app.app_id, each, archived=False) for each in app.environments]
    if call.query.include_archived:
        environments += [EnvironmentView(app.app_id, each, archived=True) for each in app.archived_environments]
    return reply(cut_page(call, environments, lambda each: (each.environment,), lambda each: each))


async def create_agent_token(services: Services, call: Call[NewAgentToken, None]) -> web.StreamResponse:
    """Make a token for the agents of an app/environment.

    The secret is in this answer and nowhere else. With it an agent reads the snapshot of this app/environment and
    reports about itself; it can do nothing else.
    """
    token, secret = await services.access.create_agent_token(
        call.app_id, call.environment, call.body.description, call.attribution
    )
    location = f"{_APPS}/{token.app_id}/environments/{token.environment}/agent-tokens/{token.id}"
    shown = NewAgentTokenView(token.id, token.app_id, token.environment, token.description, secret)
    return reply(shown, 201, {"Location": location})


async def list_agent_tokens(services: Services, call: Call[None, PageQuery]) -> web.StreamResponse:
    """List the tokens of an app/environment that are not revoked, oldest first, without their secrets."""
    await require_registered(services, call.app_id, call.environment)
    tokens = await services.access.list_agent_tokens(call.app_id, call.environment)
    return reply(cut_page(call, tokens, lambda each: (each.created_at.isoformat(), str(each.id)), AgentTokenView.of))


async def revoke_agent_token(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Revoke an agent token.

    Streams that were opened with it end within seconds.
    """
    await services.access.revoke_agent_token(call.app_id, call.environment, call.id("agent token"), call.attribution)
    return web.Response(status=204)


async def require_registered(services: Services, app_id: str, environment: str) -> None:
    """Say which of the two names is unknown, if one is.

    Raises:
        NotFoundError: the application or the environment is not registered.
    """
    app = await services.registry.get_app(app_id)
    if environment not in app.all_environments:
        kind = "environment"
        raise NotFoundError(kind, f"{app_id}/{environment}")


def _places(app: App) -> list[Place]:
    """An application: who may see something of it may see that there is one."""
    return [Place(app.app_id)]


def _seen(principal: Principal, app: App) -> App:
    """An application with the environments that the caller may see."""
    if Permission.APPS_READ in principal.everywhere:
        return app

    def kept(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(each for each in names if may_somewhere(principal, Permission.APPS_READ, Place(app.app_id, each)))

    return replace(app, environments=kept(app.environments), archived_environments=kept(app.archived_environments))

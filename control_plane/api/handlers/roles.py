"""Roles, and who has them."""

from aiohttp import web

from control_plane.api.bodies.pages import PageQuery
from control_plane.api.bodies.roles import BindingQuery, BindingView, NewBinding, RoleBody, RoleView
from control_plane.api.call import Call, reply
from control_plane.api.paging import cut_page
from control_plane.api.preconditions import etag, given_version
from control_plane.api.services import Services
from control_plane.domain.access.binding import Binding
from control_plane.domain.access.decision import may_grant
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.reach import Reach
from control_plane.domain.access.role import PERMISSIONS, Role
from control_plane.domain.errors import NotFoundError

_MAY_SEE = frozenset({Permission.BINDINGS_READ})


async def list_roles(services: Services, call: Call[None, PageQuery]) -> web.StreamResponse:
    """List the roles by name: the built-in ones, and those of this installation."""
    own = (await services.roles.book()).roles.values()
    views = [*map(RoleView.ours, PERMISSIONS), *map(RoleView.of, own)]
    return reply(cut_page(call, views, lambda each: (each.name,), lambda each: each))


async def get_role(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Show one role."""
    name = call.request.match_info["role"]
    if name in PERMISSIONS:
        return reply(RoleView.ours(Role(name)))
    found = (await services.roles.book()).roles.get(name)
    if found is None:
        kind = "role"
        raise NotFoundError(kind, name)
    return reply(RoleView.of(found), headers={"ETag": etag(found.version)})


async def put_role(services: Services, call: Call[RoleBody, None]) -> web.StreamResponse:
    """Keep a role of this installation, or let the one of this name have other permissions.

    It can have no permission that the caller lacks. Whoever has it may do what it says within two seconds. `If-Match`,
    or the member `version`, says which version was read; 0 makes a new one only.
    """
    body, name = call.body, call.request.match_info["role"]
    expected = given_version(call.request, body.version)
    kept = await services.roles.put_role(
        name, body.asked, body.description, call.principal, by=call.attribution, expected=expected
    )
    return reply(RoleView.of(kept), headers={"ETag": etag(kept.version)})


async def delete_role(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Forget a role that nobody has any more."""
    await services.roles.drop_role(call.request.match_info["role"], call.attribution)
    return web.Response(status=204)


async def create_role_binding(services: Services, call: Call[NewBinding, None]) -> web.StreamResponse:
    """Grant a role to a user, a group or an API key.

    Nobody grants what he does not have himself as far as the grant reaches. It takes effect within two seconds.
    """
    body = call.body
    made = await services.roles.bind(body.subject, body.role, Reach.parse(body.reach), call.principal, call.attribution)
    return reply(BindingView.of(made), 201, {"Location": f"/api/v1/role-bindings/{made.id}"})


async def list_role_bindings(services: Services, call: Call[None, BindingQuery]) -> web.StreamResponse:
    """List who has which role, as far as the caller's own permission reaches."""
    query = call.query
    found = [
        each
        for each in (await services.roles.book()).bindings
        if query.subject in {None, each.subject}
        and query.role in {None, each.role}
        and not may_grant(call.principal, _MAY_SEE, each.reach)
    ]
    return reply(cut_page(call, found, _position, BindingView.of))


async def delete_role_binding(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Take a grant away: within two seconds nobody acts by it any more.

    The last grant of everything stays, while there is nobody else who could grant anything.
    """
    await services.roles.unbind(call.id("role binding"), call.principal, call.attribution)
    return web.Response(status=204)


def _position(binding: Binding) -> tuple[str, str, str]:
    return binding.subject, binding.role, str(binding.reach)

"""Accounts of people, as administrators see them."""

from typing import Any

from aiohttp import web

from control_plane.api.bodies.pages import PageQuery, PageView
from control_plane.api.bodies.people import NewAccount, PasswordReset, UserView
from control_plane.api.call import Call, reply
from control_plane.api.services import Services
from control_plane.domain.errors import NotFoundError
from control_plane.domain.people.user import is_user_name


async def create_user(services: Services, call: Call[NewAccount, None]) -> web.StreamResponse:
    """Make an account with a password, for an installation without an identity provider.

    An account may do nothing by itself: bind roles to `user:` and its name.
    """
    body = call.body
    user = await services.accounts.create(body.asked, body.password, call.principal, call.attribution)
    return reply(UserView.of(user), 201, {"Location": f"/api/v1/users/{user.name}"})


async def list_users(services: Services, call: Call[None, PageQuery]) -> web.StreamResponse:
    """List the accounts by name; those whom the identity provider knows appear when they have logged in once."""
    page = await services.accounts.list(limit=call.page_size(call.query.limit), cursor=call.query.cursor)
    return reply(PageView(tuple(map(UserView.of, page.items)), page.next_cursor))


async def get_user(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Show an account."""
    return reply(UserView.of(await services.accounts.get(_name(call))))


async def disable_user(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Let nobody log in to an account any more, and end its sessions at once."""
    return await _set_disabled(services, call, disabled=True)


async def enable_user(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Let people log in to an account again."""
    return await _set_disabled(services, call, disabled=False)


async def reset_password(services: Services, call: Call[PasswordReset, None]) -> web.StreamResponse:
    """Give an account another password, and end its sessions at once."""
    name, password = _name(call), call.body.password
    return reply(UserView.of(await services.accounts.reset_password(name, password, call.principal, call.attribution)))


async def _set_disabled(services: Services, call: Call[None, None], *, disabled: bool) -> web.StreamResponse:
    who = (call.principal, call.attribution)
    return reply(UserView.of(await services.accounts.set_disabled(_name(call), *who, disabled=disabled)))


def _name(call: Call[Any, Any]) -> str:
    text = call.request.match_info["user"]
    if not is_user_name(text):
        kind = "user"
        raise NotFoundError(kind, text)
    return text

"""Logging in and out, and one's own sessions."""

from dataclasses import replace
from typing import Any

from aiohttp import web

from control_plane.api.bodies.pages import PageQuery
from control_plane.api.bodies.people import (
    CurrentSessionView,
    Login,
    LoginMethodsView,
    LoginView,
    PasswordChange,
    SessionView,
)
from control_plane.api.call import Call, reply
from control_plane.api.carried import CARRIED, require_own_page
from control_plane.api.paging import cut_page
from control_plane.api.services import Services
from control_plane.domain.access.permission import Permission
from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import ForbiddenError
from control_plane.domain.people.session import Carrier, Session
from control_plane.domain.people.user import User
from control_plane.services.people.sessions import Opened


async def get_login_methods(services: Services, _call: Call[None, None]) -> web.StreamResponse:
    """How one can log in here."""
    return reply(LoginMethodsView(password=True, identity_provider=services.federation.issuer))


async def login(services: Services, call: Call[Login, None]) -> web.StreamResponse:
    """Log in with a name and a password.

    Every refusal says the same. After a few of them one has to wait, for as long as Retry-After says: for this account,
    and for this address.
    """
    require_own_page(call.request)
    body, carrier = call.body, Carrier(call.body.carrier)
    opened = await services.logins.by_password(body.name, body.password, carrier, stranger(call))
    return logged_in(services, opened)


async def logout(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """End this session, on all replicas at once."""
    session, secret = await _own(services, call)
    await services.sessions.end(session, secret)
    return _logged_out(services)


async def logout_everywhere(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """End all sessions of whoever calls, on all replicas at once."""
    session, _ = await _own(services, call)
    await services.sessions.end_all(await _user(services, session), call.attribution)
    return _logged_out(services)


async def get_session(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """This session, and what goes with requests that change something."""
    return reply(CurrentSessionView.of(*await _own(services, call)))


async def list_sessions(services: Services, call: Call[None, PageQuery]) -> web.StreamResponse:
    """List one's own sessions."""
    own, _ = await _own(services, call)
    found = await services.sessions.of(own.user_id)
    return reply(
        cut_page(call, found, lambda each: (each.id,), lambda each: SessionView.of(each, current=each.id == own.id))
    )


async def end_session(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """End one of one's own sessions."""
    own, _ = await _own(services, call)
    await services.sessions.end_one(own.user_id, call.request.match_info["session"])
    return web.Response(status=204)


async def change_password(services: Services, call: Call[PasswordChange, None]) -> web.StreamResponse:
    """Take another password. All one's sessions end; this answer begins a new one in the place of this one."""
    session, _ = await _own(services, call)
    user = await services.logins.check(session.user, call.body.current_password, call.attribution)
    changed = await services.accounts.change_own_password(user, call.body.new_password, call.attribution)
    return logged_in(services, await services.sessions.open(changed, session.carrier, call.attribution))


def stranger(call: Call[Any, Any]) -> Attribution:
    """To whom is attributed what happens before it is known who calls."""
    return replace(call.attribution, role="")


def logged_in(services: Services, opened: Opened) -> web.Response:
    """The answer that begins a session."""
    response = reply(LoginView.of(opened))
    if opened.session.carrier is Carrier.COOKIE:
        session = opened.session
        services.cookies.begin_session(response, opened.secret, session.ends_at - session.created_at)
    return response


def _logged_out(services: Services) -> web.Response:
    response = web.Response(status=204)
    services.cookies.end_session(response)
    return response


async def _own(services: Services, call: Call[Any, Any]) -> tuple[Session, str]:
    """The session by which the caller came."""
    carried = call.request.get(CARRIED)
    if carried is None:
        detail = "Only people who have logged in have sessions: keys and agents have none."
        raise ForbiddenError(Permission.SELF, detail)
    return await services.sessions.find(carried.secret, carried.carrier), carried.secret


async def _user(services: Services, session: Session) -> User:
    return await services.accounts.get(session.user)

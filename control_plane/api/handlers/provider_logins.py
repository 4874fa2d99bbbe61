"""Logging in by the company's identity provider: there, back, and out."""

from aiohttp import hdrs, web

from control_plane.api.bodies.people import CodeExchange, ProviderAnswer, ProviderLoginQuery
from control_plane.api.call import Call
from control_plane.api.form import FORM, read_form
from control_plane.api.handlers.logins import logged_in, stranger
from control_plane.api.services import Services
from control_plane.domain.errors import InvalidError, LoginFailedError
from control_plane.services.people.federation import CommandLine
from shared.wire.problem import Violation


async def go_to_provider(services: Services, call: Call[None, ProviderLoginQuery]) -> web.StreamResponse:
    """Send the browser to the company's identity provider."""
    query, command_line = call.query, None
    if (query.cli_port is None) != (query.cli_challenge is None):
        raise InvalidError([Violation("?cli_port", "goes together with cli_challenge")])
    if query.cli_port is not None and query.cli_challenge is not None:
        command_line = CommandLine(query.cli_port, query.cli_challenge)
    departure = await services.federation.depart(query.return_to, command_line, stranger(call))
    response = _go(departure.address)
    services.cookies.begin_login(response, departure.browser)
    return response


async def come_from_provider(services: Services, call: Call[None, ProviderAnswer]) -> web.StreamResponse:
    """Let in whoever comes back from the identity provider, and send the browser on to where it wanted to go."""
    query, browser = call.query, call.request.cookies.get(services.cookies.login, "")
    if query.error:
        word = query.error if query.error.isascii() and query.error.replace("_", "").isalnum() else "error"
        msg = f"The identity provider refused ({word[:50]})."
        raise LoginFailedError(msg)
    arrival = await services.federation.arrive(query.state, query.code, query.iss, browser, stranger(call))
    response = _go(arrival.address)
    services.cookies.end_login(response)
    if arrival.opened is not None:
        session = arrival.opened.session
        services.cookies.begin_session(response, arrival.opened.secret, session.ends_at - session.created_at)
    return response


async def exchange_code(services: Services, call: Call[CodeExchange, None]) -> web.StreamResponse:
    """Give `trimtab login` the session for the code that the browser brought it."""
    return logged_in(services, await services.federation.exchange(call.body.code, call.body.verifier, stranger(call)))


async def log_out_by_provider(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """End the sessions of somebody who logged out at the identity provider (OpenID Connect back-channel logout).

    The form has one field, `logout_token`, which the provider has signed.
    """
    form = await read_form(call.request, call.limits)
    if form is None:
        raise InvalidError([Violation("", f"must be a form ({FORM}) with every field once")])
    await services.federation.ended_there(form.get("logout_token", ""), stranger(call))
    return web.Response(status=200)


def _go(address: str) -> web.Response:
    return web.Response(status=302, headers={hdrs.LOCATION: address})

"""Access tokens for API keys, as OAuth 2.0 clients ask for them."""

from dataclasses import replace

from aiohttp import web

from control_plane.api.bodies.oauth import TokenErrorView, TokenView
from control_plane.api.call import Call, reply
from control_plane.api.form import basic_of, read_form
from control_plane.api.presented import presented_by
from control_plane.api.services import Services
from control_plane.services.client_credentials import TokenAsked, TokenRefused

_UNREADABLE = TokenRefused(
    "invalid_request",
    "The body has to be a form with every field once: grant_type, and client_id and client_secret unless they come by "
    "basic authentication.",
)
_HEADERS = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_REFUSED = 400
_UNKNOWN = 401


async def create_access_token(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Give an access token for an API key (OAuth 2.0, client credentials).

    The form has `grant_type=client_credentials`; the client's id is the key's name and its secret the key, by basic
    authentication or as `client_id` and `client_secret`. The token ends with the key; revoking that ends it at once.
    """
    asked = await _asked(call)
    if asked is None:
        return _refusal(_UNREADABLE)
    made = await services.client_credentials.token(
        asked, replace(presented_by(call.request), token=asked.client_secret)
    )
    if isinstance(made, TokenRefused):
        return _refusal(made)
    return reply(TokenView(made.token, "Bearer", made.expires_in), headers=_HEADERS)


async def _asked(call: Call[None, None]) -> TokenAsked | None:
    """What is asked for; None if that is not to be told, or credentials come in two ways."""
    form, basic = await read_form(call.request, call.limits), basic_of(call.request)
    if form is None or "grant_type" not in form or (basic is not None and "client_secret" in form):
        return None
    name, secret = basic or (form.get("client_id", ""), form.get("client_secret", ""))
    if form.get("client_id", name) != name:
        return None
    return TokenAsked(form["grant_type"], name, secret, form.get("scope", ""))


def _refusal(refused: TokenRefused) -> web.Response:
    known = refused.error != "invalid_client"
    headers = _HEADERS if known else _HEADERS | {"WWW-Authenticate": 'Basic realm="trimtab"'}
    document = TokenErrorView(refused.error, refused.description)
    return reply(document, _REFUSED if known else _UNKNOWN, headers)

"""The session that a request carries: in the browser's cookie, or as a token.

Whoever sends a token is asked for nothing else, and its cookies are not looked at. A browser sends its cookie along
with whatever any page makes it send; so what changes something must show that it comes from a page of ours.
"""

from dataclasses import dataclass

from aiohttp import hdrs, web

from control_plane.api.cookies import Cookies
from control_plane.domain.errors import CrossSiteError
from control_plane.domain.people.session import BEARER_PREFIX, Carrier, is_csrf_token

CSRF_HEADER = "X-CSRF-Token"
_SITE = "Sec-Fetch-Site"
_SAFE = {hdrs.METH_GET, hdrs.METH_HEAD}
_OWN = "same-origin"


@dataclass(frozen=True, slots=True)
class Carried:
    """The secret of a session, and how it came."""

    secret: str
    carrier: Carrier


CARRIED = web.RequestKey("carried", Carried)


def session_of(request: web.Request, cookies: Cookies) -> Carried | None:
    """What the request shows of a session; None if it shows something else, or nothing.

    Raises:
        CrossSiteError: another site may have made the browser send it.
    """
    if hdrs.AUTHORIZATION in request.headers:
        scheme, _, token = request.headers[hdrs.AUTHORIZATION].partition(" ")
        token = token.strip()
        carried = Carried(token, Carrier.BEARER) if token.startswith(BEARER_PREFIX) else None
        return carried if scheme.lower() == "bearer" else None
    secret = request.cookies.get(cookies.session)
    if not secret:
        return None
    if request.method not in _SAFE:
        require_own_page(request)
        if not is_csrf_token(request.headers.get(CSRF_HEADER, ""), secret):
            msg = f"The header {CSRF_HEADER} is missing, or is not this session's."
            raise CrossSiteError(msg)
    return Carried(secret, Carrier.COOKIE)


def require_own_page(request: web.Request) -> None:
    """Refuse what a browser says to come from elsewhere.

    Raises:
        CrossSiteError: it does.
    """
    origin, site = request.headers.get(hdrs.ORIGIN), request.headers.get(_SITE, _OWN)
    if site != _OWN or (origin is not None and origin.partition("://")[2] != request.host):
        msg = "The request comes from a page of another origin."
        raise CrossSiteError(msg)

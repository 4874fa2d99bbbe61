"""Who sends a request: whoever has its session, else whoever has its token."""

from aiohttp import web

from control_plane.api.carried import CARRIED, session_of
from control_plane.api.presented import presented_by
from control_plane.api.services import Services
from control_plane.domain.access.principal import Principal


async def caller_of(services: Services, request: web.Request, *, use: bool = True) -> Principal:
    """Who sends it; without `use` a session is looked at, and lies idle on.

    Raises:
        UnauthenticatedError: nobody.
        CrossSiteError: another site may have made a browser send it.
        UnavailableError: the store that knows is away.
    """
    carried = session_of(request, services.cookies)
    if carried is None:
        return await services.access.authenticate(presented_by(request))
    request[CARRIED] = carried
    return await services.sessions.authenticate(carried.secret, carried.carrier, use=use)

"""Between a request and the answer to who sent it: how often an address and a principal may ask, and what they are told.

An address is looked at before its credentials are, so that guessing is refused before it costs anything. Whose
credentials were good a moment ago is let through there: a neighbour's guesses lock nobody out.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import hdrs, web

from control_plane.api.call import address_of
from control_plane.api.route import Route
from control_plane.domain.access.principal import Principal
from control_plane.domain.errors import RateLimitedError, UnauthenticatedError
from control_plane.domain.rates import Kind, origin
from control_plane.services.rates import Allowance, Rates

ALLOWANCE = web.RequestKey("allowance", Allowance)
_MAX_GOOD = 20_000


class RateLimits:
    """Admits requests of one application."""

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._good: OrderedDict[int, None] = OrderedDict()

    async def admit(
        self, request: web.Request, route: Route[Any, Any], authenticate: Callable[[], Awaitable[Principal]]
    ) -> Principal:
        """Who calls, if neither they nor their address ask too often.

        Raises:
            RateLimitedError: they do.
            UnauthenticatedError: nobody knows them.
        """
        try:
            principal = await self._identify(request, authenticate)
            allowance = await self._count(request, route, principal)
        except RateLimitedError as error:
            request[ALLOWANCE] = Allowance(error.kind, error.rate, 0)
            raise
        if allowance is not None:
            request[ALLOWANCE] = allowance
        return principal

    async def _identify(self, request: web.Request, authenticate: Callable[[], Awaitable[Principal]]) -> Principal:
        shown = hash((request.headers.get(hdrs.AUTHORIZATION), request.headers.get(hdrs.COOKIE)))
        address = origin(address_of(request))
        if shown not in self._good:
            await self._rates.require_left(Kind.REFUSALS, address)
        try:
            principal = await authenticate()
        except UnauthenticatedError:
            self._good.pop(shown, None)
            await self._rates.require(Kind.REFUSALS, address)
            raise
        self._good[shown] = None
        if len(self._good) > _MAX_GOOD:
            self._good.popitem(last=False)
        return principal

    async def _count(self, request: web.Request, route: Route[Any, Any], principal: Principal) -> Allowance | None:
        address = origin(address_of(request))
        if principal.is_agent:
            return await self._rates.require(Kind.AGENTS, f"{principal.id}@{address}")
        await self._rates.require(Kind.ADDRESSES, address)
        kind = Kind.READS if str(route.permission).endswith(".read") else Kind.WRITES
        return await self._rates.require(kind, principal.id)


def headers_of(allowance: Allowance | None) -> dict[str, str]:
    """The headers `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers)."""
    if allowance is None:
        return {}
    kind, rate = allowance.kind, allowance.rate
    return {
        "RateLimit-Policy": f'"{kind}";q={rate.burst};w={rate.window}',
        "RateLimit": f'"{kind}";r={allowance.remaining};t={allowance.reset}',
    }

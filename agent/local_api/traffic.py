"""How much the local API is used: counted on the way of every request, read by `/metrics`."""

from collections import Counter

from aiohttp import web
from aiohttp.typedefs import Handler


class Requests:
    """Counts requests by route and class of status."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Count one."""
        response = await handler(request)
        resource = request.match_info.route.resource
        route = "unmatched" if resource is None else resource.canonical
        self.counts[route, f"{response.status // 100}xx"] += 1
        return response

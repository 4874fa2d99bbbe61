"""How much the local API is used: counted on the way of every request, by whatever lane it came; read by `/metrics`.

On the way there is one addition; what the numbers mean is made out when they are scraped.
"""

from collections import Counter
from collections.abc import Iterator
from types import MappingProxyType

from aiohttp import web
from aiohttp.typedefs import Handler

UNMATCHED = "unmatched"
"""The route of requests for what there is not."""

FACES = MappingProxyType(
    {
        "/v1/values/{key}": "value",
        "/v1/configs/{key}": "config",
        "/v1/configs": "configs",
        "/v1/evaluate": "evaluate",
        "/v1/explain/{key}": "explain",
        "/v1/watch": "watch",
        "/ofrep/v1/evaluate/flags/{key}": "ofrep",
        "/ofrep/v1/evaluate/flags": "ofrep_bulk",
        "/ofrep/v1/sse": "ofrep_stream",
        "/applications/{app}/environments/{environment}/configurations/{profile}": "appconfig",
    }
)
"""The routes by which applications read, by what they are called in metrics."""

OUTCOMES = ("served", "not_modified", "missing", "refused", "invalid", "unready", "failed")
"""How a read may end."""

_OUTCOMES = MappingProxyType(
    {304: "not_modified", 404: "missing", 401: "refused", 403: "refused", 421: "refused", 503: "unready"}
)
_BY_CLASS = MappingProxyType({2: "served", 3: "not_modified", 4: "invalid"})


class Requests:
    """Counts requests by route and status."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, int]] = Counter()

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Count one."""
        response = await handler(request)
        resource = request.match_info.route.resource
        self.counts[UNMATCHED if resource is None else resource.canonical, response.status] += 1
        return response

    def by_class(self) -> Iterator[tuple[str, str, int]]:
        """Route, class of status, and how many."""
        sums: Counter[tuple[str, str]] = Counter()
        for (route, status), count in self.counts.items():
            sums[route, f"{status // 100}xx"] += count
        for (route, family), count in sums.items():
            yield route, family, count

    def reads(self) -> Iterator[tuple[str, str, int]]:
        """Face, outcome, and how many; a face that was read at all has all of its outcomes."""
        sums = Counter[tuple[str, str]]()
        for (route, status), count in self.counts.items():
            if face := FACES.get(route):
                sums[face, outcome(status)] += count
        for face in dict.fromkeys(face for face, _ in sums):
            for each in OUTCOMES:
                yield face, each, sums[face, each]


def outcome(status: int) -> str:
    """What a status says of a read."""
    return _OUTCOMES.get(status) or _BY_CLASS.get(status // 100, "failed")

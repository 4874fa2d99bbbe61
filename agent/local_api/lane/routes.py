"""Which requests the fast lane answers, and with which face. A path that is not here belongs to aiohttp."""

from collections.abc import Iterable
from dataclasses import dataclass

from agent.local_api.adapter import Face

_KEY = "/{key}"
READ = frozenset({b"GET", b"HEAD"})
POST = frozenset({b"POST"})


@dataclass(frozen=True, slots=True)
class Route:
    """A path, as aiohttp spells it, and the face that answers there.

    `keeps`: the same bytes asked again get the same answer until something changes; all that has to be counted for that is
    in the answer's `tally`.
    """

    path: str
    face: Face
    methods: frozenset[bytes] = READ
    keeps: bool = False


class Routes:
    """Finds the route of a path: one or two look-ups in a dictionary."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._exact: dict[str, Route] = {}
        self._keyed: dict[str, Route] = {}
        for each in routes:
            if each.path.endswith(_KEY):
                self._keyed[each.path.removesuffix(_KEY)] = each
            else:
                self._exact[each.path] = each

    def find(self, path: str) -> tuple[Route, str] | None:
        """The route and the key in the path."""
        if (route := self._exact.get(path)) is not None:
            return route, ""
        before, _, key = path.rpartition("/")
        route = self._keyed.get(before)
        return None if route is None or not key else (route, key)

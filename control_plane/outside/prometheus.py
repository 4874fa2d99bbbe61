"""Numbers from Prometheus, by its HTTP API (`/api/v1/query`)."""

import aiohttp

from control_plane.domain.gates.outside import Sources
from control_plane.outside.client import TIMEOUT, post
from control_plane.ports.gates import Silence
from shared.domain.codec import Json

_ASIDE = 0.5
"""Seconds of our patience that are not Prometheus', so that it says itself what took too long."""
_PATH = "/api/v1/query"


class Prometheus:
    """The Prometheus servers of the settings. Anything that speaks the same API will do."""

    def __init__(self, session: aiohttp.ClientSession, sources: Sources) -> None:
        self._session, self._sources = session, sources

    def knows(self, source: str) -> bool:
        return source in self._sources.urls

    async def number(self, source: str, query: str) -> float | Silence:
        base = self._sources.urls.get(source)
        if base is None:
            return Silence("the settings name no such Prometheus")
        form = {"query": query, "timeout": f"{TIMEOUT - _ASIDE:g}"}
        reply = await post(self._session, base.rstrip("/") + _PATH, form=form)
        return reply if isinstance(reply, Silence) else _number(reply.document)


def _number(document: Json) -> float | Silence:
    try:
        kind, result = document["data"]["resultType"], document["data"]["result"]
        if kind == "scalar":
            return float(result[1])
        if kind != "vector":
            return Silence(f"the query gives a {str(kind)[:20]}, not a number")
        if len(result) != 1:
            return Silence("the query gives nothing" if not result else "the query gives several series")
        return float(result[0]["value"][1])
    except (LookupError, TypeError, ValueError):
        return Silence("its answer is not one of Prometheus")

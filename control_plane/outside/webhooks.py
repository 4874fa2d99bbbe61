"""Judgements of services outside: a question by POST, an answer `{"result": "pass" | "fail" | "inconclusive"}`."""

from collections.abc import Mapping

import aiohttp

from control_plane.domain.gates.measurement import Result
from control_plane.domain.gates.outside import Prefixes
from control_plane.outside.client import post
from control_plane.ports.gates import Answer, Silence
from shared.domain.codec import Json

_LONGEST_DETAIL = 200


class HttpWebhooks:
    """Asks only what the settings allow, also where a gate was stored under other settings."""

    def __init__(self, session: aiohttp.ClientSession, allowed: Prefixes) -> None:
        self._session, self._allowed = session, allowed

    def allows(self, url: str) -> bool:
        return self._allowed.allows(url)

    async def ask(self, url: str, question: Mapping[str, Json]) -> Answer | Silence:
        if not self._allowed.allows(url):
            return Silence("the settings do not allow to ask it")
        reply = await post(self._session, url, json=question)
        if isinstance(reply, Silence):
            return reply
        try:
            detail = reply.document.get("detail", "")
            return Answer(Result(reply.document["result"]), detail[:_LONGEST_DETAIL] if isinstance(detail, str) else "")
        except (LookupError, TypeError, ValueError, AttributeError):
            return Silence("its answer has no result that is pass, fail or inconclusive")

"""The protocol's routes. An agent that no client of the protocol asks does not pay for it: its parts are loaded by the first."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from aiohttp import web

from agent.local_api.adapter import Face, Handler, asked_of, response_of
from agent.local_api.answers import Answers
from agent.local_api.asked import Asked
from agent.local_api.freshness import Freshness
from agent.local_api.guard import Guard
from agent.local_api.lane.routes import POST, Route
from agent.local_api.ofrep.paths import BULK, SINGLE, SINGLE_OF_ANY, STREAM
from agent.local_api.reply import Reply
from agent.local_api.view import AgentView
from shared.wire.problem import Problem, ProblemType

if TYPE_CHECKING:
    from agent.local_api.ofrep.parts import Parts


class Ofrep:
    """The faces `single` and `bulk`, and the event streams."""

    def __init__(self, view: AgentView, answers: Answers, freshness: Freshness, guard: Guard, local_token: str) -> None:
        self._given = view, answers, freshness, guard, local_token
        self._followed = ExitStack()
        self._parts: Parts | None = None

    def routes(self) -> list[web.RouteDef]:
        """All of them."""
        return [
            web.post(BULK, _handler(self._bulk)),
            web.post(SINGLE_OF_ANY, _handler(self._single)),
            web.get(STREAM, self._stream, allow_head=False),
        ]

    def fast(self) -> list[Route]:
        """Those that the fast lane answers: of keys that need no decoding."""
        return [Route(BULK, self._bulk, POST), Route(SINGLE, self._single, POST)]

    @contextmanager
    def following(self) -> Iterator[None]:
        """Have the parts, once there are any, hear of every swap until the block ends."""
        with self._followed:
            yield

    async def close(self, _app: web.Application | None = None) -> None:
        """End all streams."""
        if self._parts is not None:
            await self._parts.streams.close()

    def _single(self, asked: Asked) -> Reply:
        return (self._parts or self._load()).single.evaluate(asked)

    def _bulk(self, asked: Asked) -> Reply:
        return (self._parts or self._load()).bulk.evaluate(asked)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        return await (self._parts or self._load()).streams.stream(request)

    def _load(self) -> "Parts":
        from agent.local_api.ofrep.parts import Parts  # noqa: PLC0415 - memory and time that its clients should pay

        self._parts = Parts(*self._given)
        self._followed.enter_context(self._parts.following())
        return self._parts


def _handler(face: Face) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            asked = await asked_of(request)
        except web.HTTPRequestEntityTooLarge:
            from agent.local_api.ofrep.refusal import of_problem  # noqa: PLC0415 - as the parts

            problem = Problem(ProblemType.TOO_LARGE, "The body is larger than this endpoint takes.")
            return response_of(of_problem(problem, request.match_info.get("key")))
        return response_of(face(asked))

    return handle

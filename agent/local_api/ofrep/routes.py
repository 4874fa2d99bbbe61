"""The protocol's routes, and what they stand on: put together once, followed while the agent serves."""

from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from agent.local_api.adapter import Face, Handler, asked_of, response_of
from agent.local_api.answers import Answers
from agent.local_api.freshness import Freshness
from agent.local_api.guard import Guard
from agent.local_api.lane.routes import POST, Route
from agent.local_api.ofrep.bulk import Bulk
from agent.local_api.ofrep.kept import KeptAnswers
from agent.local_api.ofrep.position import Position
from agent.local_api.ofrep.refusal import of_problem
from agent.local_api.ofrep.single import Single
from agent.local_api.ofrep.streams import PATH, Streams
from agent.local_api.ofrep.tickets import Tickets
from agent.local_api.ofrep.together import Together
from agent.local_api.view import AgentView
from shared.wire.problem import Problem, ProblemType


class Ofrep:
    """The faces `single` and `bulk`, and the event streams."""

    def __init__(self, view: AgentView, answers: Answers, freshness: Freshness, guard: Guard, local_token: str) -> None:
        self._store = view.store
        self._kept = KeptAnswers(view.store)
        self.streams = Streams(Position(view.store, view.clock), Tickets(local_token, view.clock), guard)
        self.single = Single(view, answers, self._kept, freshness, guard)
        together = Together(view.store, answers, self._kept, freshness)
        self.bulk = Bulk(view, answers, together, guard, self.streams)

    def routes(self) -> list[web.RouteDef]:
        """All of them. A key is whatever follows: one that some client did not encode is still told back as it is."""
        return [
            web.post("/ofrep/v1/evaluate/flags", _handler(self.bulk.evaluate)),
            web.post("/ofrep/v1/evaluate/flags/{key:[\\s\\S]+}", _handler(self.single.evaluate)),
            web.get(PATH, self.streams.stream, allow_head=False),
        ]

    def fast(self) -> list[Route]:
        """Those that the fast lane answers: of keys that need no decoding."""
        return [
            Route("/ofrep/v1/evaluate/flags", self.bulk.evaluate, POST),
            Route("/ofrep/v1/evaluate/flags/{key}", self.single.evaluate, POST),
        ]

    @contextmanager
    def following(self) -> Iterator[None]:
        """Hear of every swap, and of what the clock does, until the block ends."""
        store = self._store
        with (
            store.subscribe(self._kept.swapped),
            store.subscribe(self.streams.swapped),
            store.subscribe_time(self.streams.time_passed),
        ):
            yield


def _handler(face: Face) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            asked = await asked_of(request)
        except web.HTTPRequestEntityTooLarge:
            problem = Problem(ProblemType.TOO_LARGE, "The body is larger than this endpoint takes.")
            return response_of(of_problem(problem, request.match_info.get("key")))
        return response_of(face(asked))

    return handle

"""The whole local API on one screen, and the server that stands in front of it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from aiohttp import web

from agent.local_api.adapter import Handler, handler, response_of
from agent.local_api.answers import Answers
from agent.local_api.appconfig.routes import AppConfig
from agent.local_api.asked import Asked
from agent.local_api.cors import Cors
from agent.local_api.description import described
from agent.local_api.errors import translate
from agent.local_api.evaluating import Evaluating
from agent.local_api.freshness import Freshness
from agent.local_api.guard import Guard
from agent.local_api.lane.front import LaneFront
from agent.local_api.lane.lane import Lane
from agent.local_api.lane.memo import Memo
from agent.local_api.lane.routes import POST, Route, Routes
from agent.local_api.ofrep.routes import Ofrep
from agent.local_api.outcomes import OutcomesApi
from agent.local_api.probes import Probes
from agent.local_api.reads import Reads
from agent.local_api.reply import Reply
from agent.local_api.traffic import Requests
from agent.local_api.view import AgentView
from agent.local_api.waiting import Waiting
from agent.local_api.watch import Watch
from shared.domain.context import EvaluationContext
from shared.runtime.http import problems_middleware, serving
from shared.runtime.lifecycle import running
from shared.runtime.listen import Listen

if TYPE_CHECKING:
    from agent.local_api.metrics import Metrics

GRACE = 1.0
"""Seconds that running requests may take when the agent stops."""

MAX_LINE = 8 * 1024
MAX_HEADER = 8 * 1024
MAX_BODY = 64 * 1024
KEEP_ALIVE = 3_600.0


@asynccontextmanager
async def serving_local_api(
    view: AgentView,
    listen: Listen,
    *,
    local_token: str = "",
    allowed_hosts: Sequence[str] = (),
    socket_mode: int = 0o660,
    cors_origins: Sequence[str] = (),
    fast_lane: bool = True,
) -> AsyncIterator[Listen]:
    """Serve until the block ends; yields the address that is really listened on.

    Without the fast lane every request is aiohttp's: slower, and otherwise the same.

    Raises:
        AddressInUseError: somebody else listens there.
    """
    freshness = Freshness(view.store, view.status, view.clock, view.policy, view.rendered)
    own = EvaluationContext(attributes=view.own)
    answers = Answers(view.store, freshness, view.clock, own, view.usage.reasons)
    watch, waiting, requests = Watch(view.store), Waiting(), Requests()
    guard, cors = Guard(listen, local_token, allowed_hosts, cors_origins), Cors(cors_origins)
    reads, probes = Reads(view, answers, guard), Probes(view, freshness)
    evaluating = Evaluating(view, answers, guard)
    ofrep = Ofrep(view, answers, freshness, guard, local_token)
    scrape = _Scrape(view, freshness, requests, watch, answers)
    app = web.Application(
        middlewares=[
            requests.middleware,
            problems_middleware(translate, always_named=False),
            guard.middleware,
            cors.middleware,
        ],
        client_max_size=MAX_BODY,
    )
    app.add_routes(
        [
            web.get("/v1/configs", waiting.handler(reads.configs)),
            web.get("/v1/configs/{key}", waiting.handler(reads.config)),
            web.get("/v1/values/{key}", waiting.handler(reads.value)),
            web.post("/v1/evaluate", handler(evaluating.evaluate)),
            web.get("/v1/explain/{key}", handler(evaluating.explain)),
            web.post("/v1/explain/{key}", handler(evaluating.explain)),
            web.get("/v1/watch", watch.stream, allow_head=False),
            web.post("/v1/sync", _syncing(probes)),
            web.post("/v1/fallback/end", handler(probes.end_fallback)),
            web.post("/v1/outcomes", handler(OutcomesApi(view).post)),
            *ofrep.routes(),
            *AppConfig(view, answers, guard).routes(),
            web.get("/v1/openapi.json", handler(described)),
            web.get("/healthz", handler(probes.healthz)),
            web.get("/readyz", handler(probes.readyz)),
            web.get("/status", handler(probes.status)),
            web.get("/metrics", handler(scrape.face)),
        ]
    )
    memo = Memo(view, answers, requests)
    fast = Routes(
        [
            Route("/v1/values/{key}", reads.value, keeps=True),
            Route("/v1/configs/{key}", reads.config, keeps=True),
            Route("/v1/configs", reads.configs, keeps=True),
            Route("/v1/evaluate", evaluating.evaluate, POST),
            *ofrep.fast(),
            Route("/healthz", probes.healthz),
            Route("/readyz", probes.readyz),
        ]
    )
    lane = Lane(memo, fast, guard)
    app.on_response_prepare.append(cors.mark)
    app.on_shutdown.extend([watch.close, waiting.close, ofrep.close, lane.close])
    limits = {"max_line_size": MAX_LINE, "max_field_size": MAX_HEADER, "keepalive_timeout": KEEP_ALIVE}
    store = view.store
    with (
        store.subscribe(memo.swapped),
        store.subscribe_time(memo.time_passed),
        store.subscribe(answers.swapped),
        store.subscribe(watch.swapped),
        store.subscribe_time(watch.time_passed),
        store.subscribe(waiting.swapped),
        store.subscribe_time(waiting.time_passed),
        ofrep.following(),
        view.usage.settled_by(memo.settle),
    ):
        front = LaneFront(lane) if fast_lane and not cors_origins else None  # answers depend on the Origin then
        async with (
            running(lane.run),
            serving(app, listen, grace=GRACE, socket_mode=socket_mode, server_options=limits, front=front) as at,
        ):
            yield at


def _syncing(probes: Probes) -> Handler:
    async def sync(_request: web.Request) -> web.StreamResponse:
        return response_of(await probes.sync())

    return sync


class _Scrape:
    """`/metrics`, whose library is loaded by the first scrape: an agent that nobody scrapes does not pay for it."""

    def __init__(
        self, view: AgentView, freshness: Freshness, requests: Requests, watch: Watch, answers: Answers
    ) -> None:
        self._parts = view, freshness, requests, watch, answers

    def face(self, _asked: Asked) -> Reply:
        self._parts[0].usage.settle()
        return self._metrics.scrape()

    @cached_property
    def _metrics(self) -> "Metrics":
        from agent.local_api.metrics import Metrics  # noqa: PLC0415

        return Metrics(*self._parts)

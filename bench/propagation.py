"""Commit to visible: from the API call to the moment at which the agent's own HTTP API shows the new value.

Observed over the agent's `GET /v1/watch`, whose event is written right after the swap, and checked by reading the
value after each round. The agent is a process of its own. "100 agents" are that one and 99 more followers of the same
app/environment, which hear everything and do nothing with it: on one machine their own work would be what is
measured, and in the field each has a machine of its own.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import anyio
from anyio.abc import TaskStatus

from agent.ports import Feed
from agent.upstream.amqp import AmqpFeed
from agent.upstream.endpoints import Endpoints
from agent.upstream.http import SseFeed
from agent.upstream.shown import Shown
from bench.result import Plan, Result, percentiles
from bench.rig import Bed, Transport, bed
from shared.domain.codec import decode
from shared.domain.scope import Revisions
from shared.wire.sse import Event, read_events
from tests.rig.installation import APP, ENVIRONMENT
from tests.rig.process import Process

ROUNDS = 400
WARM_UP = 10
PAUSE = 0.005
"""Seconds between rounds: each is a change on its own, not a queue of changes."""


async def measure(directory: Path, plan: Plan) -> list[Result]:
    """Both transports, 1 and 100 agents."""
    results = []
    for transport in Transport:
        async with bed(directory, transport, configs=100) as made, made.agent() as (agent, _):
            for agents in (1, 100):
                async with _followers(made, agents - 1):
                    results.append(await _case(made, agent, f"{transport}, {agents} agents", plan.count(ROUNDS)))
    return results


async def _case(made: Bed, agent: Process, case: str, rounds: int) -> Result:
    from_call: list[float] = []
    from_answer: list[float] = []
    async with _watch(made, agent) as events:
        for value in range(rounds + WARM_UP):
            started = time.perf_counter()
            revision = await made.site.put(made.control_plane, "bench.value", value)
            answered = time.perf_counter()
            visible = await _seen(events, revision)
            if value >= WARM_UP:
                from_call.append(visible - started)
                from_answer.append(max(0.0, visible - answered))
            if (shown := await made.site.value(agent, "bench.value")) != value:
                msg = f"the agent shows {shown} after announcing {value}"
                raise RuntimeError(msg)
            await anyio.sleep(PAUSE)
    return Result(
        "commit → visible at the agent's HTTP API",
        case,
        {**percentiles(from_call, "from call, ms"), **percentiles(from_answer, "from answer, ms")},
    )


async def _seen(events: AsyncIterator[Event], revision: int) -> float:
    with anyio.fail_after(10):
        async for event in events:
            if event.event == "change" and decode(event.data)["revision"] >= revision:
                return time.perf_counter()
    msg = "the agent ended its stream"
    raise RuntimeError(msg)


@asynccontextmanager
async def _watch(made: Bed, agent: Process) -> AsyncIterator[AsyncIterator[Event]]:
    timeout = aiohttp.ClientTimeout(total=None)
    async with made.site.session.get(f"{agent.url}/v1/watch", timeout=timeout) as answer:
        answer.raise_for_status()
        events = read_events(answer.content.iter_any())
        await anext(events)
        yield events


@asynccontextmanager
async def _followers(made: Bed, count: int) -> AsyncIterator[None]:
    """Follow as an agent does, this many times, and let every message drop."""
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        anyio.create_task_group() as group,
    ):
        for number in range(count):
            await group.start(_drain, _feed(made, session, number))
        yield
        group.cancel_scope.cancel()


def _feed(made: Bed, session: aiohttp.ClientSession, number: int) -> Feed:
    if made.site.servers.amqp_url:
        return AmqpFeed(made.site.servers.amqp_url, APP, ENVIRONMENT, f"follower-{number}")
    return SseFeed(Endpoints([made.control_plane.url], Shown(made.site.agent_token), session), APP, ENVIRONMENT)


async def _drain(feed: Feed, *, task_status: TaskStatus[None]) -> None:
    async with feed.follow(Revisions()) as messages:
        task_status.started()
        async for _ in messages:
            pass

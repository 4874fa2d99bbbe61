"""What an agent costs the machine that it stands on: memory, time to start, CPU while nothing happens."""

import time
from pathlib import Path
from statistics import median

import anyio

from bench.result import Plan, Result
from bench.rig import Transport, bed

SETTLE_SECONDS = 2.0
IDLE_SECONDS = 20.0


async def measure(directory: Path, plan: Plan) -> list[Result]:
    """For both transports, an agent with 1,000 configs."""
    return [await _case(directory, transport, plan) for transport in Transport]


async def _case(directory: Path, transport: Transport, plan: Plan) -> Result:
    async with bed(directory, transport, configs=1_000) as made:
        async with made.agent() as (agent, first_start):
            await anyio.sleep(SETTLE_SECONDS)
            cpu, began = agent.cpu(), time.perf_counter()
            await anyio.sleep(plan.seconds(IDLE_SECONDS))
            idle = (agent.cpu() - cpu) / (time.perf_counter() - began)
            rss = agent.rss()
        starts = []
        for _ in range(5):
            async with made.agent() as (_, seconds):
                starts.append(seconds)
    return Result(
        "the agent's footprint, 1,000 configs",
        transport,
        {
            "RSS MiB": round(rss / 2**20, 1),
            "idle CPU %": round(idle * 100, 2),
            "first start to ready ms": round(first_start * 1000),
            "start to ready from last known good ms": round(median(starts) * 1000),
        },
    )

"""Reads of the agent's HTTP API over TCP: one value, one config and the whole snapshot."""

import time
from pathlib import Path
from urllib.parse import urlsplit

from bench import load
from bench.result import Plan, Result, percentiles
from bench.rig import Transport, bed
from tests.rig.process import Process

SECONDS = 4.0
CASES = (
    ("one value, 1 connection", "/v1/values/bench.key-0001", 1),
    ("one value, 32 connections", "/v1/values/bench.key-0001", 32),
    ("one config, 32 connections", "/v1/configs/bench.key-0001", 32),
    ("whole snapshot of 1,000 configs, 8 connections", "/v1/configs", 8),
)


async def measure(directory: Path, plan: Plan) -> list[Result]:
    """Every case against one agent with 1,000 configs."""
    async with bed(directory, Transport.SSE, configs=1_000) as made, made.agent() as (agent, _):
        return [await _case(agent, *case, seconds=plan.seconds(SECONDS)) for case in CASES]


async def _case(agent: Process, case: str, path: str, connections: int, *, seconds: float) -> Result:
    address = urlsplit(agent.url)
    host, port = address.hostname or "", address.port or 0
    await load.get(host, port, path, connections=connections, seconds=0.3)  # warms up
    cpu, began = agent.cpu(), time.perf_counter()
    tally = await load.get(host, port, path, connections=connections, seconds=seconds)
    elapsed = time.perf_counter() - began
    if tally.refused:
        msg = f"{tally.refused} answers to {path} were not 200"
        raise RuntimeError(msg)
    count = len(tally.durations)
    return Result(
        "agent reads",
        case,
        {
            "reads/s": round(count / elapsed),
            **percentiles(tally.durations),
            "agent CPU µs/read": round((agent.cpu() - cpu) / count * 1e6, 1),
        },
    )

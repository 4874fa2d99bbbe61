"""What an agent costs the machine that it stands on: memory, time to start, CPU while nothing happens."""

import http.client
import subprocess
import time
from pathlib import Path
from statistics import median

import anyio
import psutil
from anyio.to_thread import run_sync

from bench.result import Plan, Result
from bench.rig import Bed, Transport, bed
from tests.rig.process import Process

CONFIGS = (100, 1_000, 10_000)
SETTLE_SECONDS = 2.0
IDLE_SECONDS = 20.0
STARTS = 7
_START_SECONDS = 30.0
_LOOK_AGAIN = 0.001
_NOWHERE = "http://127.0.0.1:9"
"""Nobody listens there: what is served comes from the disk."""


async def measure(directory: Path, plan: Plan) -> list[Result]:
    """For both transports, agents with some, many and very many configs."""
    sizes = CONFIGS[1:2] if plan.short else CONFIGS
    return [await _case(directory / f"{size}", transport, size, plan) for transport in Transport for size in sizes]


async def _case(directory: Path, transport: Transport, configs: int, plan: Plan) -> Result:
    directory.mkdir(mode=0o711, exist_ok=True)  # noqa: ASYNC240 - nothing is measured yet
    async with bed(directory, transport, configs=configs) as made:
        async with made.agent() as (agent, first_start):
            await anyio.sleep(SETTLE_SECONDS)
            cpu, began = agent.cpu(), time.perf_counter()
            await anyio.sleep(plan.seconds(IDLE_SECONDS))
            idle = (agent.cpu() - cpu) / (time.perf_counter() - began)
            memory = psutil.Process(agent.pid).memory_full_info()
        starts = [await _start_alone(made) for _ in range(STARTS)]
    return Result(
        f"the agent's footprint, {transport}",
        f"{configs:,} configs",
        {
            "RSS MiB": round(memory.rss / 2**20, 1),
            "PSS MiB": round(memory.pss / 2**20, 1),
            "idle CPU %": round(idle * 100, 2),
            "first start to ready ms": round(first_start * 1000),
            "spawn to first 200 from last known good ms": round(median(each for each, _ in starts) * 1000),
            "of it CPU ms": round(median(each for _, each in starts) * 1000),
        },
    )


async def _start_alone(made: Bed) -> tuple[float, float]:
    """Start the agent where no control plane is; seconds until it has answered a read, and of CPU until then."""
    began = time.perf_counter()
    agent = await made.site.agent("observed", [], ready=False, TRIMTAB_CONTROL_PLANE_URL=_NOWHERE, TRIMTAB_AMQP_URL="")
    try:
        await run_sync(_until_read, agent)
        return time.perf_counter() - began, agent.cpu()
    finally:
        agent.stop()
        made.site.processes.remove(agent)


def _until_read(agent: Process) -> None:
    address = agent.url.removeprefix("http://")
    deadline = time.perf_counter() + _START_SECONDS
    while time.perf_counter() < deadline:
        connection = http.client.HTTPConnection(address, timeout=5)
        try:
            connection.request("GET", "/v1/values/bench.key-0001")
            if connection.getresponse().status == http.client.OK:
                return
        except OSError:
            time.sleep(_LOOK_AGAIN)
        finally:
            connection.close()
    raise subprocess.TimeoutExpired(agent.command, _START_SECONDS)

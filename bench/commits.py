"""How many changes a second one control plane commits: audited, versioned, with an outbox row, durable."""

import time
from pathlib import Path

import anyio

from bench.result import Plan, Result, percentiles
from bench.rig import Bed, Transport, bed

SECONDS = 6.0


async def measure(directory: Path, plan: Plan) -> list[Result]:
    """1 and 20 clients, each writing a key of its own over HTTP."""
    async with bed(directory, Transport.SSE, configs=100) as made:
        return [await _case(made, clients, plan.seconds(SECONDS)) for clients in (1, 20)]


async def _case(made: Bed, clients: int, seconds: float) -> Result:
    durations: list[float] = []
    began, cpu = time.perf_counter(), made.control_plane.cpu()

    async def client(number: int) -> None:
        value = 0
        while (started := time.perf_counter()) < began + seconds:
            value += 1
            await made.site.put(made.control_plane, f"bench.client-{number}", value)
            durations.append(time.perf_counter() - started)

    async with anyio.create_task_group() as group:
        for number in range(clients):
            group.start_soon(client, number)
    elapsed = time.perf_counter() - began
    return Result(
        "commits over the API",
        f"{clients} clients",
        {
            "commits/s": round(len(durations) / elapsed),
            **percentiles(durations),
            "control plane CPU µs/commit": round((made.control_plane.cpu() - cpu) / len(durations) * 1e6),
        },
    )

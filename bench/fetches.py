"""Fetching a whole snapshot from a control plane: out of its memory, beside the same handler with a GET from Redis."""

from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from bench import load
from bench.load import Tally
from bench.result import Plan, Result
from bench.rig import Bed, Transport, bed
from tests.rig.installation import APP, ENVIRONMENT
from tests.rig.process import Process
from tests.servers.choice import obtain

CONFIGS = 230
"""About 38 KB of JSON."""
CONNECTIONS = 32
ROUNDS = 5
SECONDS = 2.0
_PATH = f"/api/v1/snapshots/{APP}/{ENVIRONMENT}"


async def measure(directory: Path, plan: Plan) -> list[Result]:
    """Two control planes over one database and one Redis, asked in turns."""
    async with bed(directory, Transport.SSE, configs=CONFIGS) as made:
        redis = await obtain("redis", directory)
        try:
            ours = await made.site.control_plane("memory", TRIMTAB_REDIS_URL=redis.url)
            other = await made.site.control_plane("redis", module="bench.by_redis", TRIMTAB_REDIS_URL=redis.url)
            return [await _compare(made, ours, other, plan.seconds(SECONDS))]
        finally:
            await redis.close()


async def _compare(made: Bed, ours: Process, other: Process, seconds: float) -> Result:
    for each in (ours, other):
        await _fetch(made, each, seconds / 4)  # warms up
    rounds, size = [], 0
    for _ in range(ROUNDS):
        memory, cpu = await _fetch(made, ours, seconds)
        redis, redis_cpu = await _fetch(made, other, seconds)
        size = memory.size
        rounds.append((len(memory.durations) / seconds, cpu, len(redis.durations) / seconds, redis_cpu))
    rate, cpu, redis_rate, redis_cpu = (median(each) for each in zip(*rounds, strict=True))
    return Result(
        "a whole snapshot from the control plane",
        f"{size / 1000:.0f} KB, {CONNECTIONS} connections",
        {
            "fetches/s": round(rate),
            "CPU µs/fetch": round(cpu, 1),
            "by Redis GET, fetches/s": round(redis_rate),
            "by Redis GET, CPU µs/fetch": round(redis_cpu, 1),
            "x by Redis GET (CPU)": round(median(each[3] / each[1] for each in rounds), 2),
            "x by Redis GET (fetches/s)": round(median(each[0] / each[2] for each in rounds), 2),
        },
    )


async def _fetch(made: Bed, server: Process, seconds: float) -> tuple[Tally, float]:
    """What a round saw, and the server's CPU for each answer in microseconds."""
    address = urlsplit(server.url)
    cpu = server.cpu()
    tally = await load.get(
        address.hostname or "",
        address.port or 0,
        _PATH,
        connections=CONNECTIONS,
        seconds=seconds,
        token=made.site.agent_token,
    )
    if tally.refused:
        msg = f"{tally.refused} fetches were not answered with 200"
        raise RuntimeError(msg)
    return tally, (server.cpu() - cpu) / len(tally.durations) * 1e6

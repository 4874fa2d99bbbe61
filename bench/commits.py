"""How many changes a second are committed: audited, versioned, with an outbox row, durable.

Over HTTP by one control plane, and by the store alone beside the least that PostgreSQL can do, an UPDATE of one row, and
beside the same work as separate statements.
"""

import time
from pathlib import Path

import anyio
import psutil

from bench.forms import Forms, Write
from bench.result import Plan, Result, percentiles
from bench.rig import Bed, Transport, bed
from control_plane.postgres.pool import open_pool

SECONDS = 6.0
CLIENTS = (1, 20)
TURNS = 4
"""In which the forms alternate, so that all meet the machine in the same moods."""


async def measure(directory: Path, plan: Plan) -> list[Result]:
    """1 and 20 clients, each writing a key of its own."""
    seconds = plan.seconds(SECONDS)
    async with bed(directory, Transport.SSE, configs=100) as made:
        over_http = [await _over_http(made, clients, seconds) for clients in CLIENTS]
        async with open_pool(made.site.servers.database_url) as pool:
            forms = await Forms.over(pool, max(CLIENTS))
            return over_http + [await _in_the_store(made, forms, clients, seconds / TURNS) for clients in CLIENTS]


async def _over_http(made: Bed, clients: int, seconds: float) -> Result:
    async def write(client: int, value: int) -> None:
        await made.site.put(made.control_plane, f"bench.client-{client}", value)

    cpu = made.control_plane.cpu()
    durations, rate = await _run(write, clients, seconds)
    return Result(
        "commits over the API",
        f"{clients} clients",
        {
            "commits/s": round(rate),
            **percentiles(durations),
            "control plane CPU µs/commit": round((made.control_plane.cpu() - cpu) / len(durations) * 1e6),
        },
    )


async def _in_the_store(made: Bed, forms: Forms, clients: int, seconds: float) -> Result:
    commits, updates, trips = _Tally(forms.commit), _Tally(forms.update), _Tally(forms.five_round_trips)
    for _ in range(TURNS):
        for each in (updates, commits, trips):
            await each.run(made, clients, seconds)
    return Result(
        "commits in the store",
        f"{clients} clients",
        {
            "commits/s": round(commits.rate),
            **percentiles(commits.durations),
            "bare UPDATE/s": round(updates.rate),
            "five round trips/s": round(trips.rate),
            "x bare UPDATE": round(commits.rate / updates.rate, 2),
            "x five round trips": round(commits.rate / trips.rate, 2),
            "CPU µs/commit": round(commits.cpu),
            "CPU µs/UPDATE": round(updates.cpu),
            "CPU µs/five round trips": round(trips.cpu),
        },
    )


class _Tally:
    """What one form has done over all its turns. CPU is the client's and PostgreSQL's together."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self.durations: list[float] = []
        self._seconds = self._cpu = 0.0

    async def run(self, made: Bed, clients: int, seconds: float) -> None:
        """Take a turn; connections and plans are there before the clock starts."""
        await _run(self._write, clients, seconds / 10)
        cpu = made.database_cpu() + sum(psutil.Process().cpu_times()[:2])
        durations, rate = await _run(self._write, clients, seconds)
        self._cpu += made.database_cpu() + sum(psutil.Process().cpu_times()[:2]) - cpu
        self._seconds += len(durations) / rate
        self.durations += durations

    @property
    def rate(self) -> float:
        """Writes a second."""
        return len(self.durations) / self._seconds

    @property
    def cpu(self) -> float:
        """Microseconds of CPU for each write."""
        return self._cpu / len(self.durations) * 1e6


async def _run(write: Write, clients: int, seconds: float) -> tuple[list[float], float]:
    """How long each write took, and how many there were in a second."""
    durations: list[float] = []
    began = time.perf_counter()

    async def client(number: int) -> None:
        value = 0
        while (started := time.perf_counter()) < began + seconds:
            value += 1
            await write(number, value)
            durations.append(time.perf_counter() - started)

    async with anyio.create_task_group() as group:
        for number in range(clients):
            group.start_soon(client, number)
    return durations, len(durations) / (time.perf_counter() - began)

"""How many changes a second are committed: audited, versioned, with an outbox row, durable.

Over HTTP by one control plane, and by the store alone beside the least that PostgreSQL can do: an UPDATE of one row.
"""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import asyncpg

from bench.result import Plan, Result, percentiles
from bench.rig import Bed, Transport, bed
from control_plane.domain.attribution import Attribution
from control_plane.domain.change import Draft, Op, Operation
from control_plane.postgres.changes import PostgresChanges
from control_plane.postgres.pool import open_pool
from shared.domain.scope import Scope
from tests.rig.installation import APP, ENVIRONMENT

SECONDS = 6.0
CLIENTS = (1, 20)
TURNS = 3
"""In which the store and the UPDATE alternate, so that both meet the machine in the same moods."""

Write = Callable[[int, int], Awaitable[object]]
"""Write a value (the second number) as one of the clients (the first)."""


async def measure(directory: Path, plan: Plan) -> list[Result]:
    """1 and 20 clients, each writing a key of its own."""
    seconds = plan.seconds(SECONDS)
    async with bed(directory, Transport.SSE, configs=100) as made:
        over_http = [await _over_http(made, clients, seconds) for clients in CLIENTS]
        async with open_pool(made.site.servers.database_url) as pool:
            await _add_bare_table(pool)
            return over_http + [await _in_the_store(pool, clients, seconds / TURNS) for clients in CLIENTS]


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


async def _in_the_store(pool: asyncpg.Pool, clients: int, seconds: float) -> Result:
    changes, scope = PostgresChanges(pool), Scope(APP, ENVIRONMENT)

    async def commit(client: int, value: int) -> None:
        operation = Operation(Op.PUT, scope, f"bench.client-{client}", str(value).encode())
        await changes.commit(Draft((operation,), by=Attribution("operator")))

    async def update(client: int, value: int) -> None:
        await pool.execute("update bench_bare set value = $2 where id = $1", client, value)

    durations: list[float] = []
    commits = updates = 0.0
    for _ in range(TURNS):
        updates += (await _run(update, clients, seconds))[1] / TURNS
        took, rate = await _run(commit, clients, seconds)
        durations, commits = durations + took, commits + rate / TURNS
    return Result(
        "commits in the store",
        f"{clients} clients",
        {
            "commits/s": round(commits),
            **percentiles(durations),
            "bare UPDATE/s": round(updates),
            "ratio": round(commits / updates, 2),
        },
    )


async def _add_bare_table(pool: asyncpg.Pool) -> None:
    await pool.execute("create table bench_bare (id integer primary key, value integer) with (fillfactor = 50)")
    await pool.execute("insert into bench_bare select id, 0 from generate_series(0, $1) as id", max(CLIENTS))


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

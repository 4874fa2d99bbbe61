"""Previewing a change of the global scope: what it does to each of many environments."""

import time
from pathlib import Path

from bench.fill import add_environments, commit_all
from bench.result import Plan, Result, percentiles
from bench.rig import Bed, Transport, bed
from control_plane.postgres.changes import PostgresChanges
from control_plane.postgres.pool import open_pool
from shared.domain.scope import Scope
from tests.rig.seals import seals_over

APPS = 25
ENVIRONMENTS = 20
"""Of each application."""
KEYS = 20
"""Of each environment, of each application, and of the global scope."""
ROUNDS = 20


async def measure(directory: Path, plan: Plan) -> list[Result]:
    """One key and ten keys."""
    async with bed(directory, Transport.SSE, configs=0) as made:
        apps = plan.count(APPS)
        await _fill(made, apps)
        count = f"{apps * ENVIRONMENTS + 1} environments"
        return [await _case(made, f"{keys} keys of the global scope, {count}", keys, plan) for keys in (1, 10)]


async def _fill(made: Bed, apps: int) -> None:
    async with open_pool(made.site.servers.database_url) as pool:
        changes, keys = PostgresChanges(pool, seals_over(pool)), [f"bench.key-{number:04}" for number in range(KEYS)]
        await commit_all(changes, Scope(), keys, "global")
        for number in range(apps):
            app_id, environments = f"app-{number:02}", [f"env-{each:02}" for each in range(ENVIRONMENTS)]
            await made.site.post(made.control_plane, "/apps", {"app_id": app_id})
            await add_environments(made, app_id, environments)
            await commit_all(changes, Scope(app_id), [f"own-{key}" for key in keys], app_id)
            for each in environments:
                await commit_all(changes, Scope(app_id, each), [f"own-{key}" for key in keys], each)


async def _case(made: Bed, case: str, keys: int, plan: Plan) -> Result:
    operations = [{"op": "put", "key": f"bench.key-{number:04}", "value": "changed"} for number in range(keys)]
    durations, cpu = [], made.control_plane.cpu() + made.database_cpu()
    for _ in range(plan.count(ROUNDS)):
        began = time.perf_counter()
        await made.site.post(made.control_plane, "/changes/preview", {"message": "bench", "operations": operations})
        durations.append(time.perf_counter() - began)
    cpu = made.control_plane.cpu() + made.database_cpu() - cpu
    numbers = {**percentiles(durations), "CPU ms/preview": round(cpu / len(durations) * 1000, 1)}
    return Result("preview of a global change", case, numbers)

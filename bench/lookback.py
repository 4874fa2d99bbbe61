"""Looking back: the effective configs of a past revision, and two environments beside each other, over a long history."""

import time
from pathlib import Path
from typing import Any

from bench.fill import add_environments, commit_all
from bench.result import Plan, Result, percentiles
from bench.rig import Bed, Transport, bed
from control_plane.postgres.changes import PostgresChanges
from control_plane.postgres.pool import open_pool
from shared.domain.scope import Scope
from tests.rig.installation import APP, ENVIRONMENT
from tests.rig.seals import seals_over

CONFIGS = 10_000
"""In two environments of one application, half of them in each."""
VERSIONS = 10
"""Of each config."""
ROUNDS = 30
PAGE = 500
OTHER = "staging"


async def measure(directory: Path, plan: Plan) -> list[Result]:
    """One page, and all of them one after the other, in the middle of the history."""
    configs = plan.count(CONFIGS)
    async with bed(directory, Transport.SSE, configs=0) as made:
        await add_environments(made, APP, [OTHER])
        revision = await _write_history(made, configs)
        middle, place = revision // 2, f"{APP}/{ENVIRONMENT}"
        cases = {
            "effective at a revision": f"/effective/{place}?revision={middle}",
            "effective now": f"/effective/{place}?revision={revision}",
            "compare two environments": f"/compare?left={place}&right={APP}/{OTHER}",
            "compare two revisions": f"/compare?left={place}@{middle}&right={place}",
        }
        size = f"{configs:,} configs, {configs * VERSIONS:,} versions"
        return [await _case(made, f"{name}, {size}", path, plan) for name, path in cases.items()]


async def _write_history(made: Bed, configs: int) -> int:
    """Put every config `VERSIONS` times; returns the last revision."""
    async with open_pool(made.site.servers.database_url) as pool:
        changes, revision = PostgresChanges(pool, seals_over(pool)), 0
        for version in range(VERSIONS):
            for environment in (ENVIRONMENT, OTHER):
                keys = [f"bench.key-{number:05}" for number in range(configs // 2)]
                revision = await commit_all(changes, Scope(APP, environment), keys, f"{environment} {version}")
    return revision


async def _case(made: Bed, case: str, path: str, plan: Plan) -> Result:
    page: dict[str, Any] = {}
    first, cpu = [], made.control_plane.cpu() + made.database_cpu()
    for _ in range(plan.count(ROUNDS)):
        began = time.perf_counter()
        page = await made.site.get(made.control_plane, f"{path}&limit={PAGE}")
        first.append(time.perf_counter() - began)
    cpu = made.control_plane.cpu() + made.database_cpu() - cpu
    began, pages = time.perf_counter(), 1
    while page["next_cursor"] is not None:
        page = await made.site.get(made.control_plane, f"{path}&limit={PAGE}&cursor={page['next_cursor']}")
        pages += 1
    whole = time.perf_counter() - began
    return Result(
        "looking back",
        case,
        {
            **percentiles(first, f"page of {PAGE}, ms"),
            "CPU ms/page": round(cpu / len(first) * 1000, 1),
            f"further {pages - 1} pages, ms": round(whole * 1000),
        },
    )

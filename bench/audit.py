"""Exporting the audit chain as a stream, and verifying it: how fast, and whether in constant memory."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import anyio

from bench.result import Plan, Result
from bench.rig import Bed, Transport, bed
from control_plane.postgres.pool import fetch, open_pool
from tests.rig.process import Process

RECORDS = 1_000_000
BATCH = 20_000
_LOOK_EVERY = 0.02
_MAKE_FILL = """
create function bench_fill(records integer) returns void language plpgsql as $$
declare
    head installation := trimtab_lock();
    who constant jsonb := '{"principal": "alice", "role": "operator", "address": "192.0.2.7", "source": "api"}';
begin
    for number in 1 .. records loop
        head := trimtab_append(
            head, clock_timestamp(), who, 'config.read', 'config:' || number, 'done', null,
            jsonb_build_object('number', number, 'note', 'a record of a usual size'));
    end loop;
    update installation set audit_seq = head.audit_seq, audit_hash = head.audit_hash;
end
$$
"""
"""One update of the installation for many records, which no program of ours would make: only to have them soon."""


@dataclass
class Peak:
    """The most memory that a process held while it was watched."""

    before: int
    bytes: int = 0


async def measure(directory: Path, plan: Plan) -> list[Result]:
    """Both forms of the export."""
    records = plan.count(RECORDS) // 5 if plan.short else RECORDS
    async with bed(directory, Transport.SSE, configs=0) as made:
        async with open_pool(made.site.servers.database_url) as pool:
            await fetch(pool, _MAKE_FILL)
            for _ in range(max(1, records // BATCH)):
                await fetch(pool, "select bench_fill($1)", BATCH)
        return [await _export(made, form) for form in ("ndjson", "csv")]


async def _export(made: Bed, form: str) -> Result:
    control_plane = made.control_plane
    cpu, began = control_plane.cpu(), time.perf_counter()
    lines = size = 0
    headers = {"Authorization": f"Bearer {made.site.token}"}
    url = f"{control_plane.url}/api/v1/audit/export?format={form}"
    async with (
        _peak(control_plane) as peak,
        made.site.session.get(url, headers=headers, timeout=aiohttp.ClientTimeout(total=None)) as answer,
    ):
        answer.raise_for_status()
        async for chunk in answer.content.iter_any():
            lines += chunk.count(b"\n")
            size += len(chunk)
    seconds = time.perf_counter() - began
    return Result(
        "audit export",
        f"{form}, {lines:,} lines",
        {
            "lines/s": round(lines / seconds),
            "MB/s": round(size / seconds / 1e6, 1),
            "control plane CPU µs/line": round((control_plane.cpu() - cpu) / lines * 1e6, 1),
            "RSS before MiB": round(peak.before / 2**20, 1),
            "peak RSS MiB": round(peak.bytes / 2**20, 1),
        },
    )


@asynccontextmanager
async def _peak(process: Process) -> AsyncIterator[Peak]:
    peak = Peak(process.rss())

    async def watch() -> None:
        while True:
            peak.bytes = max(peak.bytes, process.rss())
            await anyio.sleep(_LOOK_EVERY)

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        yield peak
        group.cancel_scope.cancel()

"""The installation that a benchmark measures: PostgreSQL with its durable defaults, one control plane, agents."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import psutil

from control_plane.embedded.data_directory import DataDirectory
from control_plane.embedded.postgres_server import embedded_postgres
from tests.rig.installation import APP, ENVIRONMENT, Installation, Servers, installation
from tests.rig.process import Process
from tests.servers.choice import obtain


class Transport(StrEnum):
    """The way by which the agents hear of changes."""

    SSE = "embedded (SSE)"
    AMQP = "RabbitMQ and Redis"

    @property
    def folder(self) -> str:
        """A name for files."""
        return self.name.lower()


@dataclass
class Bed:
    """One control plane with configs in it. `database` is the process of PostgreSQL."""

    site: Installation
    control_plane: Process
    database: psutil.Process

    def database_cpu(self) -> float:
        """Seconds of CPU that PostgreSQL has used: what serves connections, what writes behind them, and what ended."""
        return sum(self.database.cpu_times()[:4]) + sum(sum(each.cpu_times()[:2]) for each in self.database.children())

    @asynccontextmanager
    async def agent(self) -> AsyncIterator[tuple[Process, float]]:
        """Run an agent; gives it, and the seconds from its start to its first ready answer."""
        began = time.perf_counter()
        process = await self.site.agent("observed", [self.control_plane])
        seconds = time.perf_counter() - began
        try:
            yield process, seconds
        finally:
            process.stop()
            self.site.processes.remove(process)


@asynccontextmanager
async def bed(directory: Path, transport: Transport, *, configs: int) -> AsyncIterator[Bed]:
    """Start everything and put `configs` configs of a usual size into the app/environment."""
    home = directory / transport.folder
    async with _servers(home, transport) as (servers, database), installation(home, servers) as site:
        made = Bed(site, await site.control_plane(), database)
        await site.register(made.control_plane)
        await _fill(made, configs)
        yield made


async def _fill(made: Bed, configs: int) -> None:
    operations = [
        {
            "op": "put",
            "app_id": APP,
            "environment": ENVIRONMENT,
            "key": f"bench.key-{number:04}",
            "value": {"enabled": number % 2 == 0, "limit": number, "url": f"https://service-{number}.internal/v2"},
        }
        for number in range(configs)
    ]
    for start in range(0, configs, 250):
        body = {"message": "fill", "operations": operations[start : start + 250]}
        await made.site.post(made.control_plane, "/changes", body)


@asynccontextmanager
async def _servers(home: Path, transport: Transport) -> AsyncIterator[tuple[Servers, psutil.Process]]:
    Path(home).mkdir(mode=0o755)  # noqa: ASYNC240 - nothing is measured yet
    data = DataDirectory(home / "data")
    with data.locked(), embedded_postgres(data) as postgres:
        database = psutil.Process(postgres.process.pid)
        if transport is Transport.SSE:
            yield Servers(postgres.dsn), database
            return
        started = [await obtain("redis", home), await obtain("rabbitmq", home)]
        try:
            yield Servers(postgres.dsn, started[0].url, started[1].url), database
        finally:
            for server in started:
                await server.close()

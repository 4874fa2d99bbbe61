"""Whole installations out of real processes and servers that a test may stop, kill and start."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import TaskStatus

from tests.rig.installation import ApiError, Installation, Servers, installation
from tests.rig.process import Process
from tests.servers.server import Server


@dataclass
class Traffic:
    """A writer that never stops: counts up one key, and remembers what the control plane said it committed."""

    site: Installation
    via: Process
    key: str = "traffic.counter"
    committed: list[int] = field(default_factory=list)
    refused: int = 0

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Write until cancelled; a refused write is tried again with the same Idempotency-Key."""
        number = 0
        while True:
            number += 1
            await self._put(number)
            self.committed.append(number)
            if number == 1:
                task_status.started()
            await anyio.sleep(0.01)

    async def _put(self, number: int) -> None:
        body: dict[str, Any] = {"message": "traffic", "operations": [self._operation(number)]}
        while True:
            try:
                await self.site.post(self.via, "/changes", body, **{"Idempotency-Key": f"traffic-{number}"})
            except ApiError as error:
                if error.status != 503:
                    raise
                self.refused += 1
                await anyio.sleep(0.05)
            else:
                return

    def _operation(self, number: int) -> dict[str, Any]:
        return {"op": "put", "app_id": "shop", "environment": "prod", "key": self.key, "value": number}

    async def more(self, count: int, within: float = 20.0) -> None:
        """Wait until so many more are committed."""
        goal = len(self.committed) + count
        with anyio.fail_after(within):
            while len(self.committed) < goal:
                await anyio.sleep(0.01)


@dataclass
class Stage:
    """A production installation: its servers, one control plane, one agent, and traffic."""

    site: Installation
    postgres: Server
    redis: Server
    rabbitmq: Server
    control_plane: Process
    agent: Process


@pytest.fixture
async def stage(own_postgres: Server, own_redis: Server, own_rabbitmq: Server, tmp_path: Path) -> AsyncIterator[Stage]:
    """Everything up, the agent following the broker."""
    servers = Servers(own_postgres.url, own_redis.url, own_rabbitmq.url)
    async with installation(tmp_path, servers) as site:
        control_plane = await site.control_plane()
        await site.register(control_plane)
        await site.put(control_plane, "greeting", "hello")
        agent = await site.agent("one", [control_plane])
        await site.until_status(agent, 15, transport="amqp", state="live")
        yield Stage(site, own_postgres, own_redis, own_rabbitmq, control_plane, agent)

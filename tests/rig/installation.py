"""Control planes and agents over given servers, with one application/environment registered."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import anyio

from control_plane.domain.access.role import Role
from control_plane.domain.access.token import new_token
from control_plane.key_encryption.local import new_key
from tests.rig.process import Process
from tests.servers.server import free_port

APP, ENVIRONMENT = "shop", "prod"
_LOOK_AGAIN = 0.005


@dataclass(frozen=True, slots=True)
class Servers:
    """Where PostgreSQL, and in production Redis and RabbitMQ, are."""

    database_url: str
    redis_url: str = ""
    amqp_url: str = ""

    def environ(self) -> dict[str, str]:
        """The settings that name them."""
        named = {
            "TRIMTAB_DATABASE_URL": self.database_url,
            "TRIMTAB_REDIS_URL": self.redis_url,
            "TRIMTAB_AMQP_URL": self.amqp_url,
        }
        return {name: value for name, value in named.items() if value}


class ApiError(Exception):
    """The API answered with a problem."""

    def __init__(self, status: int, problem: Any) -> None:
        super().__init__(f"{status}: {problem}")
        self.status, self.problem = status, problem


@dataclass
class Installation:
    """What a test or a benchmark drives."""

    directory: Path
    servers: Servers
    session: aiohttp.ClientSession
    token: str = field(default_factory=lambda: new_token(Role.OPERATOR))
    encryption_key: str = field(default_factory=new_key)
    agent_token: str = ""
    processes: list[Process] = field(default_factory=list)

    async def control_plane(
        self,
        name: str = "one",
        *,
        ready: bool = True,
        module: str = "control_plane",
        port: int = 0,
        **settings: str,
    ) -> Process:
        """Start a control plane, on a free port unless one is given; `settings` are further ones by name."""
        port = port or free_port()
        environ = self.servers.environ() | {
            "TRIMTAB_BOOTSTRAP_TOKEN": self.token,
            "TRIMTAB_ENCRYPTION_KEY": self.encryption_key,
            "TRIMTAB_LISTEN": f"127.0.0.1:{port}",
            "TRIMTAB_MIGRATE": "1",
            "TRIMTAB_LOG_LEVEL": "INFO",
        }
        log = self.directory / f"control-plane-{name}.log"
        process = Process(module, ["control-plane"], f"http://127.0.0.1:{port}", environ | settings, log)
        return await self._start(process, ready=ready)

    async def agent(
        self,
        name: str,
        control_planes: Sequence[Process],
        *,
        ready: bool = True,
        module: str = "agent",
        **settings: str,
    ) -> Process:
        """Start an agent of the application/environment; `settings` are further ones by name."""
        port = free_port()
        environ = {
            "TRIMTAB_APP": APP,
            "TRIMTAB_ENVIRONMENT": ENVIRONMENT,
            "TRIMTAB_CONTROL_PLANE_URL": ",".join(each.url for each in control_planes),
            "TRIMTAB_AGENT_TOKEN": self.agent_token,
            "TRIMTAB_AGENT_LISTEN": f"127.0.0.1:{port}",
            "TRIMTAB_AGENT_STATE_DIR": str(self.directory / f"agent-{name}"),
            "TRIMTAB_AGENT_LOG_LEVEL": "INFO",
        }
        if self.servers.amqp_url:
            environ["TRIMTAB_AMQP_URL"] = self.servers.amqp_url
        log = self.directory / f"agent-{name}.log"
        process = Process(module, [], f"http://127.0.0.1:{port}", environ | settings, log)
        return await self._start(process, ready=ready)

    async def _start(self, process: Process, *, ready: bool) -> Process:
        self.processes.append(process)
        process.start()
        if ready:
            await process.until_ok()
        return process

    async def register(self, via: Process) -> None:
        """Register the application/environment and make the agents' token."""
        await self.post(via, "/apps", {"app_id": APP, "description": "a shop"})
        await self.post(via, f"/apps/{APP}/environments", {"environment": ENVIRONMENT})
        path = f"/apps/{APP}/environments/{ENVIRONMENT}/agent-tokens"
        self.agent_token = (await self.post(via, path, {"description": "rig"}))["token"]

    async def post(self, via: Process, path: str, body: Any, **headers: str) -> Any:
        """POST to the API; raises `ApiError` for a problem."""
        async with self.session.post(
            f"{via.url}/api/v1{path}", json=body, headers={"Authorization": f"Bearer {self.token}", **headers}
        ) as answer:
            document = await answer.json(content_type=None)
            if answer.status >= 400:
                raise ApiError(answer.status, document)
            return document

    async def get(self, via: Process, path: str) -> Any:
        """GET from the API; raises `ApiError` for a problem."""
        async with self.session.get(
            f"{via.url}/api/v1{path}", headers={"Authorization": f"Bearer {self.token}"}
        ) as answer:
            document = await answer.json(content_type=None)
            if answer.status >= 400:
                raise ApiError(answer.status, document)
            return document

    async def put(self, via: Process, key: str, value: Any) -> int:
        """Commit one value in the app/environment's scope; returns the revision."""
        operation = {"op": "put", "app_id": APP, "environment": ENVIRONMENT, "key": key, "value": value}
        change = await self.post(via, "/changes", {"message": f"set {key}", "operations": [operation]})
        return int(change["revision"])

    async def value(self, agent: Process, key: str) -> Any:
        """What the agent serves for a key, None where it has no such key."""
        async with self.session.get(f"{agent.url}/v1/values/{key}") as answer:
            return await answer.json() if answer.status == 200 else None

    async def status(self, agent: Process) -> Any:
        """The agent's `/status`."""
        async with self.session.get(f"{agent.url}/status") as answer:
            return await answer.json()

    async def until_value(self, agent: Process, key: str, value: Any, within: float) -> None:
        """Wait until the agent serves this value."""
        with anyio.fail_after(within):
            while await self.value(agent, key) != value:
                await anyio.sleep(_LOOK_AGAIN)

    async def until_status(self, agent: Process, within: float, **wanted: Any) -> None:
        """Wait until the agent's status has these members."""
        with anyio.fail_after(within):
            while not wanted.items() <= (await self.status(agent)).items():
                await anyio.sleep(_LOOK_AGAIN)

    async def until_revision(self, agent: Process, within: float, revision: int) -> None:
        """Wait until the agent has applied this revision, or a later one."""
        with anyio.fail_after(within):
            while (await self.status(agent))["revision"] < revision:
                await anyio.sleep(_LOOK_AGAIN)


@asynccontextmanager
async def installation(directory: Path, servers: Servers) -> AsyncIterator[Installation]:
    """An installation with nothing started yet; everything started in it is gone at the end."""
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        site = Installation(directory, servers, session)
        try:
            yield site
        finally:
            for process in reversed(site.processes):
                process.close()

"""The composition of docker-compose.yml as processes: its own commands, variables and scripts, without its containers."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from signal import SIGTERM
from typing import Any

import aiohttp
import anyio
import pytest
import yaml

from control_plane.key_encryption.local import new_key
from shared.runtime import child
from tests.servers.server import free_port

ROOT = Path(__file__).parents[2]
TOKEN = "a-bootstrap-token-for-this-test"
_SECONDS = 30.0
_LOOK_SECONDS = 0.05


class Composition:
    """The services on this machine: host names, secrets and volumes become addresses and directories of the test."""

    def __init__(self, directory: Path, sockets: Path, secrets: dict[str, str], redis_url: str) -> None:
        self._services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
        self._directory = directory
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._address = {name: f"127.0.0.1:{free_port()}" for name in self._services}
        self._places = {
            "redis://redis:6379/0": redis_url,
            "/run/secrets": str(directory),
            "/run/tokens/tokens": str(directory / "tokens"),
            "/run/trimtab": str(sockets),
            "/var/lib/trimtab/tokens": str(directory / "tokens"),
            "/setup.py": str(ROOT / "deploy/compose/setup.py"),
            "/sample_app.py": str(ROOT / "deploy/compose/sample_app.py"),
        } | {f"{name}:8080": address for name, address in self._address.items()}
        for name, text in secrets.items():
            (directory / name).write_text(text)

    def url(self, name: str) -> str:
        """Where a service is."""
        return f"http://{self._address[name]}"

    def log(self, name: str) -> str:
        """What a service has said."""
        return (self._directory / f"{name}.log").read_text()

    async def complete(self, name: str) -> None:
        """Run a service that ends by itself."""
        done = await anyio.run_process(
            self._command(name), cwd=ROOT, env=self._environ(name), check=False, stderr=subprocess.STDOUT
        )
        assert done.returncode == 0, f"{name}: {done.stdout.decode()}"

    async def start(self, name: str) -> None:
        """Start a service and wait until its own health check passes."""
        with (self._directory / f"{name}.log").open("wb") as log:
            self._children[name] = child.spawn(self._command(name), log=log, cwd=ROOT, environ=self._environ(name))
        check = self._services[name].get("healthcheck", {}).get("test")
        with anyio.move_on_after(_SECONDS) as patience:
            while check is not None and not await self._passes(name, check[1:]):
                assert self._children[name].poll() is None, f"{name} ended: {self.log(name)}"
        assert not patience.cancelled_caught, f"{name} is not healthy: {self.log(name)}"

    async def says(self, name: str, words: str) -> None:
        """Wait until a service has said something."""
        with anyio.move_on_after(_SECONDS) as patience:
            while words not in self.log(name):
                await anyio.sleep(_LOOK_SECONDS)
        assert not patience.cancelled_caught, f"{name} never said {words!r} but: {self.log(name)}"

    def stop(self) -> dict[str, int]:
        """End all services, the last one first; how each of them ended."""
        return {name: child.stop(self._children.pop(name), SIGTERM, 10) for name in reversed(list(self._children))}

    async def _passes(self, name: str, check: list[str]) -> bool:
        check = [self.url(name) if part == "http://127.0.0.1:8080" else part for part in check]
        done = await anyio.run_process(_program(check), cwd=ROOT, env=self._environ(name), check=False)
        return done.returncode == 0

    def _command(self, name: str) -> list[str]:
        service = self._services[name]
        if service["image"].startswith("trimtab/agent:"):
            return _program(["trimtab-agent"])
        if "entrypoint" in service:
            return _program([self._here(part) for part in service["entrypoint"]])
        if service["image"].startswith("trimtab/control-plane:"):
            return _program(["trimtab", *service.get("command", ["control-plane"])])
        return _program([self._here(part) for part in service["command"]])

    def _environ(self, name: str) -> dict[str, str]:
        environ = {key: self._here(str(value)) for key, value in self._services[name].get("environment", {}).items()}
        if "TRIMTAB_LISTEN" in environ:
            environ["TRIMTAB_LISTEN"] = self._address[name]
        if name.startswith("agent-"):
            environ.setdefault("TRIMTAB_AGENT_LISTEN", self._address[name])
            environ["TRIMTAB_AGENT_STATE_DIR"] = str(self._directory / name)
        agent = self._services[name].get("network_mode", "").removeprefix("service:")
        return environ | ({"TRIMTAB_AGENT_URL": self.url(agent)} if agent != "none" and agent else {})

    def _here(self, text: str) -> str:
        for place, here in self._places.items():
            text = text.replace(place, here)
        return text


def _program(command: list[str]) -> list[str]:
    modules = {"trimtab": ["-m", "control_plane"], "trimtab-agent": ["-m", "agent"], "python": []}
    return [sys.executable, *modules[command[0]], *command[1:]]


@pytest.fixture
def composition(tmp_path: Path, postgres_url: str, redis_url: str, amqp_url: str) -> Iterator[Composition]:
    """The services, none of them started."""
    secrets = {
        "database_url": postgres_url,
        "control_plane_amqp_url": amqp_url,
        "agent_settings": f"amqp_url: {amqp_url}\n",
        "encryption_key": new_key(),
        "bootstrap_token": TOKEN,
    }
    with tempfile.TemporaryDirectory(
        prefix="trimtab-"
    ) as sockets:  # pytest's own are too long for the path of a socket
        composition = Composition(tmp_path, Path(sockets), secrets, redis_url)
        yield composition
        composition.stop()


@pytest.mark.timeout(180)  # a dozen programs are started, each of them once or twice
async def test_a_change_reaches_the_sample_application_through_the_composition(composition: Composition) -> None:
    await composition.complete("migrate")
    for replica in ("control-plane-1", "control-plane-2"):
        await composition.start(replica)
    await composition.complete("setup")
    await composition.complete("setup")  # a second `docker compose up` runs it again
    for name in ("agent-checkout", "agent-billing", "checkout", "billing"):
        await composition.start(name)
    await composition.says("checkout", "feature.express_checkout = true")
    await composition.says("billing", 'invoice.currency = "EUR"')
    headers = {"Authorization": f"Bearer {TOKEN}"}
    operation = {"op": "put", "app_id": None, "environment": None, "key": "log.level", "value": "debug"}
    async with aiohttp.ClientSession(composition.url("control-plane-2"), headers=headers) as api:
        change = {"message": "look closer", "operations": [operation]}
        async with api.post("/api/v1/changes", json=change) as answer:
            assert answer.status == 201, await answer.text()
    await composition.says("checkout", 'log.level = "debug"')
    await composition.says("billing", 'log.level = "debug"')
    ended = composition.stop()
    failed = {name: composition.log(name)[-4000:] for name, code in ended.items() if "-" in name and code != 0}
    assert not failed, failed

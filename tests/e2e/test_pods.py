"""What a kubelet does with our manifests, done with processes: their commands, their variables, their probes, in their order."""

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio import to_thread

from tests.fakes.control_plane import APP, ENVIRONMENT, LINEAGE, ControlPlane, Write
from tests.rig.manifests import AGENTS, ALL, Container, environ
from tests.rig.process import Process, clean_environ
from tests.servers.server import free_port

DEADLINE = 30.0
_LOOK_AGAIN = 0.05


@dataclass
class Pod:
    """The agent of a manifest, with directories for its volumes and a port of its own."""

    container: Container
    directory: Path
    control_plane: ControlPlane
    port: int

    @property
    def environ(self) -> dict[str, str]:
        """The manifest's, with its places on this machine."""
        places = {each["mountPath"]: self.place(each["name"]) for each in self.container.own["volumeMounts"]}
        found = environ(self.container)
        for mounted, place in places.items():
            found = {name: value.replace(mounted, str(place)) for name, value in found.items()}
        return found | {
            "TRIMTAB_APP": APP,
            "TRIMTAB_ENVIRONMENT": ENVIRONMENT,
            "TRIMTAB_CONTROL_PLANE_URL": self.control_plane.url,
            "TRIMTAB_AGENT_LISTEN": f"127.0.0.1:{self.port}",
        }

    def place(self, volume: str) -> Path:
        return self.directory / volume

    def process(self) -> Process:
        arguments = self.container.own.get("args", [])
        url = f"http://127.0.0.1:{self.port}"
        return Process("agent", arguments, url, self.environ, self.directory / "agent.log")

    async def probe(self, name: str) -> bool:
        """Whether a probe of the manifest passes."""
        _, *words = self.container.own[name]["exec"]["command"]
        return await self._ends(["-m", "agent", *words]) == 0

    async def application(self, file: str) -> int:
        """Run the pod's ordinary container to its end."""
        (own,) = (each.own for each in ALL if each.file == file and each.image == "python")
        _, *words = own["command"]
        return await self._ends([each.replace(":2772", f":{self.port}") for each in words])

    async def init(self) -> int:
        """Run an init container to its end."""
        return await self._ends(["-m", "agent", *self.container.own["args"]])

    async def _ends(self, words: list[str]) -> int:
        with anyio.fail_after(DEADLINE):
            done = await anyio.run_process(
                [sys.executable, *words], env=clean_environ() | self.environ, check=False, stderr=subprocess.STDOUT
            )
        return done.returncode


@asynccontextmanager
async def pod(file: str, directory: Path) -> AsyncIterator[Pod]:
    (container,) = (deepcopy(each) for each in AGENTS if each.file == file)
    control_plane = ControlPlane()
    control_plane.model.commit(Write(LINEAGE.environment, "a", b"1"))
    async with control_plane.running():
        found = Pod(container, directory, control_plane, free_port())
        for each in container.own["volumeMounts"]:
            found.place(each["name"]).mkdir()
        (found.place("agent-token") / "token").write_text("secret")
        yield found


async def test_a_job_begins_when_its_sidecar_is_ready_and_both_end(tmp_path: Path) -> None:
    async with pod("job.yaml", tmp_path) as it:
        it.control_plane.status = 503
        sidecar = it.process()
        sidecar.start()
        try:
            await sidecar.until_ok("/healthz")
            assert not await it.probe("startupProbe"), "there is nothing to read yet"
            it.control_plane.status = 200
            with anyio.fail_after(DEADLINE):
                while not await it.probe("startupProbe"):
                    await anyio.sleep(_LOOK_AGAIN)
            assert await it.application("job.yaml") == 0
            assert await to_thread.run_sync(sidecar.stop) == 0
        finally:
            sidecar.close()


async def test_a_pod_whose_containers_are_started_again_has_its_configs_without_the_control_plane(
    tmp_path: Path,
) -> None:
    async with pod("native-sidecar.yaml", tmp_path) as it:
        sidecar = it.process()
        try:
            sidecar.start()
            await sidecar.until_ok()
            assert await it.probe("livenessProbe")
            await to_thread.run_sync(sidecar.kill)
            it.control_plane.status = 503
            sidecar.start()
            await sidecar.until_ok()
            assert await it.probe("startupProbe")
        finally:
            sidecar.close()


async def test_an_init_container_writes_the_files_and_ends(tmp_path: Path) -> None:
    async with pod("init-container.yaml", tmp_path) as it:
        assert await it.init() == 0
        assert '"a": 1' in (it.place("rendered") / "app.json").read_text()
        assert "A=1" in (it.place("rendered") / "app.env").read_text()


async def test_an_init_container_that_has_nothing_to_write_fails(tmp_path: Path) -> None:
    async with pod("init-container.yaml", tmp_path) as it:
        it.control_plane.status = 503
        it.container.own["args"][-1:] = ["1"]  # seconds of patience
        assert await it.init() == 1
        assert not list(it.place("rendered").iterdir())

"""How the agent lives with a service manager and with changed settings, and how it ends: real processes and sockets."""

import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import anyio
import psutil
import pytest
from anyio import to_thread

from tests.fakes.control_plane import APP, ENVIRONMENT, LINEAGE, ControlPlane, Write
from tests.rig.process import Process
from tests.servers.server import free_port

DEADLINE = 20.0
_LOOK_AGAIN = 0.01


@dataclass
class Site:
    """A control plane, and an agent whose settings stand in a file."""

    directory: Path
    control_plane: ControlPlane
    agent: Process
    session: aiohttp.ClientSession

    @property
    def config(self) -> Path:
        return self.directory / "agent.yaml"

    async def get(self, path: str) -> Any:
        async with self.session.get(self.agent.url + path) as answer:
            return await answer.json()

    async def until(self, path: str, *members: str, value: object) -> None:
        """Wait until a member of a document is this."""
        with anyio.fail_after(DEADLINE):
            while True:
                found = await self.get(path)
                for each in members:
                    found = None if found is None else found[each]
                if found == value:
                    return
                await anyio.sleep(_LOOK_AGAIN)

    async def until_remarked(self, about: str, *, stands: bool = True) -> str:
        with anyio.fail_after(DEADLINE):
            while True:
                found = {each["about"]: each["detail"] for each in (await self.get("/status"))["remarks"]}
                if (about in found) is stands:
                    return str(found.get(about, ""))
                await anyio.sleep(_LOOK_AGAIN)

    def hang_up(self) -> None:
        os.kill(self.agent.pid, signal.SIGHUP)


@asynccontextmanager
async def site(directory: Path, config: str = "log_level: info\n", **variables: str) -> AsyncIterator[Site]:
    control_plane, port = ControlPlane(), free_port()
    control_plane.model.commit(Write(LINEAGE.environment, "a", b"1"))
    async with control_plane.running(), aiohttp.ClientSession() as session:
        environ = {
            "TRIMTAB_APP": APP,
            "TRIMTAB_ENVIRONMENT": ENVIRONMENT,
            "TRIMTAB_CONTROL_PLANE_URL": control_plane.url,
            "TRIMTAB_AGENT_TOKEN_FILE": str(directory / "token"),
            "TRIMTAB_AGENT_LISTEN": f"127.0.0.1:{port}",
            "TRIMTAB_AGENT_STATE_DIR": str(directory / "state"),
            "TRIMTAB_AGENT_CONFIG": str(directory / "agent.yaml"),
        }
        (directory / "token").write_text("secret")
        (directory / "agent.yaml").write_text(config)
        agent = Process("agent", [], f"http://127.0.0.1:{port}", environ | variables, directory / "agent.log")
        try:
            yield Site(directory, control_plane, agent, session)
        finally:
            agent.close()


@dataclass
class Manager:
    """The service manager's end of NOTIFY_SOCKET."""

    path: str
    heard: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + self.path[1:] if self.path.startswith("@") else self.path)
        self._socket.setblocking(False)

    async def until(self, wanted: str) -> str:
        """Wait for a message with this line; returns it."""
        with anyio.fail_after(DEADLINE):
            while True:
                await anyio.wait_readable(self._socket)
                message = self._socket.recv(65_536).decode()
                self.heard.append(message)
                if any(line.startswith(wanted) for line in message.splitlines()):
                    return message

    def close(self) -> None:
        self._socket.close()


@pytest.mark.parametrize("abstract", [False, True])
async def test_a_service_manager_hears_of_start_change_reload_and_stop(tmp_path: Path, *, abstract: bool) -> None:
    manager = Manager(f"@trimtab-{os.getpid()}" if abstract else str(tmp_path / "notify"))
    try:
        async with site(tmp_path, NOTIFY_SOCKET=manager.path, WATCHDOG_USEC="200000") as it:
            it.control_plane.status = 503
            it.agent.start()
            assert "READY=1" not in await manager.until("STATUS=There is no snapshot yet")
            it.control_plane.status = 200
            assert "STATUS=revision 1" in await manager.until("READY=1")
            await manager.until("WATCHDOG=1")
            await manager.until("WATCHDOG=1")
            await it.control_plane.commit(Write(LINEAGE.environment, "a", b"2"))
            await manager.until("STATUS=revision 2, live")
            it.hang_up()
            assert "MONOTONIC_USEC=" in await manager.until("RELOADING=1")
            await manager.until("READY=1")
            os.kill(it.agent.pid, signal.SIGTERM)
            await manager.until("STOPPING=1")
    finally:
        manager.close()


async def test_a_watchdog_for_another_process_is_left_alone(tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    try:
        async with site(tmp_path, NOTIFY_SOCKET=manager.path, WATCHDOG_USEC="10000", WATCHDOG_PID="1") as it:
            it.agent.start()
            await manager.until("READY=1")
            await it.control_plane.commit(Write(LINEAGE.environment, "a", b"2"))
            await manager.until("STATUS=revision 2, live")
            assert not any("WATCHDOG" in each for each in manager.heard)
    finally:
        manager.close()


async def test_a_service_manager_that_is_gone_disturbs_nothing(tmp_path: Path) -> None:
    async with site(tmp_path, NOTIFY_SOCKET=str(tmp_path / "nobody"), WATCHDOG_USEC="10000") as it:
        it.agent.start()
        await it.agent.until_ok()
        assert await to_thread.run_sync(it.agent.stop) == 0


async def test_a_hang_up_takes_up_labels_files_probe_and_log_level(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    async with site(tmp_path, "labels: {tier: web}\n") as it:
        it.agent.start()
        await it.agent.until_ok()
        assert (await it.get("/status"))["labels"] == {"tier": "web"}
        it.config.write_text(
            f"labels: {{tier: batch}}\nfiles: [{out}]\nlog_level: debug\nmax_staleness: 1000\n"
            "probe: 'exec:true'\nprobe_interval: 0.05\n"
        )
        it.hang_up()
        await it.until("/status", "labels", "tier", value="batch")
        await it.until("/status", "application", "condition", value="healthy")
        with anyio.fail_after(DEADLINE):
            while not out.exists():
                await anyio.sleep(_LOOK_AGAIN)
            while "DEBUG" not in it.agent.log.read_text():
                await anyio.sleep(_LOOK_AGAIN)
            while not any(report.labels == {"tier": "batch"} for report in it.control_plane.reports):
                await anyio.sleep(_LOOK_AGAIN)
        assert (await it.get("/status"))["remarks"] == []


async def test_a_broken_file_keeps_what_held_and_is_told_until_it_is_mended(tmp_path: Path) -> None:
    async with site(tmp_path, "labels: {tier: web}\n") as it:
        it.agent.start()
        await it.agent.until_ok()
        it.config.write_text("labels: {tier: batch}\nlisen: nowhere\n")
        told = await it.until_remarked("broken")
        assert "did you mean 'listen'?; what held before still holds" in told
        assert (await it.get("/status"))["labels"] == {"tier": "web"}
        it.config.write_text("labels: {tier: batch}\n")
        await it.until_remarked("broken", stands=False)
        await it.until("/status", "labels", "tier", value="batch")


async def test_what_needs_a_new_start_is_told(tmp_path: Path) -> None:
    async with site(tmp_path) as it:
        it.agent.start()
        await it.agent.until_ok()
        it.config.write_text("socket_mode: 0600\nlabels: {a: b}\n")
        told = await it.until_remarked("restart")
        assert told.startswith("TRIMTAB_AGENT_SOCKET_MODE changed, and will be taken up when")
        assert (await it.get("/status"))["labels"] == {"a": "b"}
        it.config.write_text("labels: {a: b}\n")
        await it.until_remarked("restart", stands=False)


async def test_file_sets_in_a_file_of_their_own_are_followed(tmp_path: Path) -> None:
    sets, out = tmp_path / "sets.yaml", tmp_path / "out.json"
    sets.write_text(f"one: {{files: [{tmp_path}/one.json]}}\n")
    async with site(tmp_path, TRIMTAB_AGENT_FILE_SETS=str(sets)) as it:
        it.agent.start()
        await it.agent.until_ok()
        sets.write_text(f"one: {{files: [{tmp_path}/one.json]}}\ntwo: {{files: [{out}]}}\n")
        with anyio.fail_after(DEADLINE):
            while not out.exists():
                await anyio.sleep(_LOOK_AGAIN)
        sets.write_text("two: {fils: []}\n")
        assert "what held before still holds" in await it.until_remarked("broken")


async def test_a_rotated_token_is_taken_up_without_anybody_saying_so(tmp_path: Path) -> None:
    async with site(tmp_path) as it:
        (tmp_path / "token").write_text("expired")
        it.agent.start()
        await it.agent.until_ok("/healthz")
        await it.until("/status", "last_error", value="the control plane answers 401 Unauthorized")
        (tmp_path / "token.new").write_text("secret\n")
        (tmp_path / "token.new").rename(tmp_path / "token")
        await it.until("/readyz", "status", value="ready")
        assert "secret" not in it.agent.log.read_text()


def readers(agent: Process) -> int:
    """How many connections to the local API it has taken."""
    port = urlsplit(agent.url).port
    connections = psutil.Process(agent.pid).net_connections()
    return sum(each.status == "ESTABLISHED" and each.laddr.port == port for each in connections)


async def test_who_waits_is_answered_before_the_end(tmp_path: Path) -> None:
    """SIGTERM: a long poll and a stream end as they should, what was asked is answered, and nothing is left behind."""
    async with site(tmp_path) as it:
        it.agent.start()
        await it.agent.until_ok()
        answers: list[int] = []
        async with it.session.get(f"{it.agent.url}/v1/configs/a") as answer:
            etag = answer.headers["ETag"]

        async def poll() -> None:
            headers = {"If-None-Match": etag}
            async with it.session.get(f"{it.agent.url}/v1/configs/a?wait=30s", headers=headers) as answer:
                answers.append(answer.status)

        async with it.session.get(f"{it.agent.url}/v1/watch") as stream, anyio.create_task_group() as group:
            assert (await stream.content.readline()).startswith(b"event: snapshot")
            group.start_soon(poll)
            with anyio.fail_after(DEADLINE):
                while readers(it.agent) < 2:
                    await anyio.sleep(_LOOK_AGAIN)
            code = await to_thread.run_sync(it.agent.stop)
            await stream.content.read()
        assert (code, answers) == (0, [304])

"""The agent as a process: it serves what it last knew without anybody else, and stops when it is told."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import aiohttp
import orjson
import pytest
from anyio import to_thread

from agent.snapshot.last_known_good import FileKeeper
from agent.snapshot.model import Snapshot
from tests.fakes.snapshots import snapshot_of
from tests.rig.process import Process, clean_environ

VALUES = {"db.pool": 20, "greeting": "grüß dich", "db.hosts": ["a", "b"]}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def keep(state_dir: Path, snapshot: Snapshot) -> None:
    """Leave a last known good behind, as an agent does."""
    with closing(FileKeeper(state_dir, snapshot.app_id, snapshot.environment)) as keeper:
        keeper.keep(snapshot, snapshot.document())


def environ(directory: Path, port: int, **more: str) -> dict[str, str]:
    """The settings of an agent whose control plane is nowhere."""
    return {
        "TRIMTAB_APP": "billing",
        "TRIMTAB_ENVIRONMENT": "prod",
        "TRIMTAB_CONTROL_PLANE_URL": "http://127.0.0.1:9",
        "TRIMTAB_AGENT_TOKEN": "not-asked-for",
        "TRIMTAB_AGENT_LISTEN": f"127.0.0.1:{port}",
        "TRIMTAB_AGENT_STATE_DIR": str(directory / "state"),
        **more,
    }


def command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "agent", *arguments],
        env=clean_environ() | variables,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Process]:
    """An agent with a last known good and nobody to talk to, not started yet."""
    keep(tmp_path / "state", snapshot_of(12, VALUES))
    port = free_port()
    files = f"{tmp_path}/out/config.json,{tmp_path}/out/config.yaml,{tmp_path}/out/.env"
    process = Process(
        "agent",
        ["run"],
        f"http://127.0.0.1:{port}",
        environ(tmp_path, port, TRIMTAB_AGENT_FILES=files),
        tmp_path / "agent.log",
    )
    try:
        yield process
    finally:
        process.close()


async def test_an_agent_without_a_control_plane_serves_its_last_known_good_and_stops_at_once(
    alone: Process, tmp_path: Path
) -> None:
    alone.start()
    await alone.until_ok("/readyz")
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{alone.url}/v1/values/db.pool") as answer:
            assert await answer.json() == 20
        async with session.get(f"{alone.url}/v1/configs/greeting") as answer:
            document = await answer.json()
            assert (document["value"], document["reason"], document["revision"]) == ("grüß dich", "STALE", 12)
        async with session.get(f"{alone.url}/status") as answer:
            status = await answer.json()
            assert (status["state"], status["revision"], status["ready"]) == ("stale", 12, True)
        async with session.post(f"{alone.url}/v1/sync") as answer:
            assert answer.status == 503
        began = time.monotonic()
        assert await to_thread.run_sync(alone.stop) == 0
        assert time.monotonic() - began < 3
    assert orjson.loads((tmp_path / "out" / "config.json").read_bytes()) == VALUES
    assert 'greeting: "grüß dich"' in (tmp_path / "out" / "config.yaml").read_text()
    assert "DB_POOL=20" in (tmp_path / "out" / ".env").read_text()


async def test_health_and_ready_answer_for_containers_without_curl(alone: Process) -> None:
    assert command("health", "--url", alone.url).returncode == 1
    alone.start()
    await alone.until_ok("/readyz")
    for name, line in (("health", "alive\n"), ("ready", "ready: state stale, revision 12\n")):
        done = await to_thread.run_sync(command, name, "--url", alone.url)
        assert (done.returncode, done.stdout) == (0, line)
    by_settings = await to_thread.run_sync(
        lambda: command("ready", TRIMTAB_AGENT_LISTEN=alone.url.removeprefix("http://"))
    )
    assert by_settings.returncode == 0


async def test_over_a_unix_socket_as_well(tmp_path: Path) -> None:
    path = tmp_path / "agent.sock"
    variables = environ(tmp_path, 0) | {"TRIMTAB_AGENT_LISTEN": f"unix:{path}"}
    with subprocess.Popen(  # noqa: ASYNC220 - our own program
        [sys.executable, "-m", "agent"], env=clean_environ() | variables, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stderr is not None
        assert "serving" in child.stderr.readline()
        assert command("health", "--url", f"unix:{path}").stdout == "alive\n"
        not_ready = command("ready", **variables)
        assert (not_ready.returncode, "503: There is no snapshot yet." in not_ready.stderr) == (1, True)
        child.terminate()
        child.communicate(timeout=5)
        assert child.returncode == 0
    assert not path.exists()


def test_files_can_be_rendered_once_from_the_last_known_good(tmp_path: Path) -> None:
    keep(tmp_path / "state", snapshot_of(12, VALUES))
    variables = environ(tmp_path, 0, TRIMTAB_AGENT_FILES=f"{tmp_path}/config.json")
    done = command("render", "--once", "--timeout", "5", **variables)
    assert done.returncode == 0, done.stderr
    assert "rendered revision 12" in done.stderr
    assert orjson.loads((tmp_path / "config.json").read_bytes()) == VALUES


def test_rendering_once_without_anything_to_render_fails(tmp_path: Path) -> None:
    variables = environ(tmp_path, 0, TRIMTAB_AGENT_FILES=f"{tmp_path}/config.json")
    done = command("render", "--once", "--timeout", "1", **variables)
    assert done.returncode == 1
    assert "not rendered" in done.stderr
    assert not (tmp_path / "config.json").exists()


def test_a_start_that_cannot_work_is_one_clear_line_each_and_exit_code_2(tmp_path: Path) -> None:
    done = command("run")
    assert done.returncode == 2
    assert [line.split()[1] for line in done.stderr.splitlines()] == [
        "TRIMTAB_APP",
        "TRIMTAB_ENVIRONMENT",
        "TRIMTAB_CONTROL_PLANE_URL",
        "TRIMTAB_AGENT_TOKEN",
    ]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = command(**environ(tmp_path, taken.getsockname()[1]))
        assert done.returncode == 2
        assert f"cannot listen on 127.0.0.1:{taken.getsockname()[1]}" in done.stderr.splitlines()[-1]
    with closing(FileKeeper(tmp_path / "state", "billing", "prod")):
        done = command(**environ(tmp_path, 0))
        assert (done.returncode, "another agent uses" in done.stderr) == (2, True)


def test_help_teaches_and_the_version_is_told() -> None:
    text = command("--help").stdout
    assert "--control-plane-url https" in text
    assert "exit codes:" in text
    assert command("--version").stdout.startswith("trimtab-agent ")


def test_rendering_once_may_insist_on_the_control_plane(tmp_path: Path) -> None:
    keep(tmp_path / "state", snapshot_of(12, VALUES))
    variables = environ(tmp_path, 0, TRIMTAB_AGENT_FILES=f"{tmp_path}/out.json")
    done = command("render", "--once", "--timeout", "1", "--require-fresh", **variables)
    assert done.returncode == 1
    assert "only what the control plane says now counts here" in done.stderr
    assert not (tmp_path / "out.json").exists()
    assert command("render", "--once", "--timeout", "1", **variables).returncode == 0
    assert (tmp_path / "out.json").exists()


def test_a_dry_run_writes_nothing_and_says_what_it_would(tmp_path: Path) -> None:
    keep(tmp_path / "state", snapshot_of(12, VALUES))
    variables = environ(tmp_path, 0, TRIMTAB_AGENT_FILES=f"{tmp_path}/out.json")
    done = command("render", "--once", "--timeout", "1", "--dry-run", **variables)
    assert done.returncode == 0, done.stderr
    assert "would be rendered: revision 12; " in done.stderr
    assert f"would write {tmp_path}/out.json" in done.stderr
    assert not (tmp_path / "out.json").exists()


async def test_status_tells_people_how_the_agent_stands(alone: Process) -> None:
    assert command("status", "--url", alone.url).returncode == 1
    alone.start()
    await alone.until_ok("/readyz")
    done = await to_thread.run_sync(command, "status", "--url", alone.url)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("billing/prod as ")
    assert "revision   12, 3 configs" in done.stdout
    assert "hears nobody" in done.stdout
    as_json = await to_thread.run_sync(command, "status", "--url", alone.url, "--json")
    assert orjson.loads(as_json.stdout)["revision"] == 12

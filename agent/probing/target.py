"""What to ask: an address for HTTP or TCP, or a command. Read from one text, as it is set."""

import shlex
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlsplit

_MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class HttpTarget:
    """Healthy if it answers a GET with a status from 200 to 299."""

    url: str


@dataclass(frozen=True, slots=True)
class TcpTarget:
    """Healthy if it takes a connection."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class CommandTarget:
    """Healthy if the command ends with 0. No shell is between."""

    command: tuple[str, ...]


Target: TypeAlias = HttpTarget | TcpTarget | CommandTarget


def read_target(text: str) -> Target:
    """Read `http://…`, `tcp://host:port` or `exec:command and its words`.

    Raises:
        ValueError: it is none of them.
    """
    scheme, _, rest = text.partition(":")
    if scheme in {"http", "https"} and urlsplit(text).hostname:
        return HttpTarget(text)
    if scheme == "tcp":
        parts = urlsplit(text)
        if parts.hostname and parts.port and 0 < parts.port <= _MAX_PORT:
            return TcpTarget(parts.hostname, parts.port)
    if scheme == "exec" and (words := shlex.split(rest)):
        return CommandTarget(tuple(words))
    msg = "is no probe; give http://127.0.0.1:8080/health, tcp://127.0.0.1:5432 or exec:/usr/local/bin/check --fast"
    raise ValueError(msg)

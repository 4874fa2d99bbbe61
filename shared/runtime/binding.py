"""Sockets that a server listens on: bound to each address of a host, or to a path under a private umask."""

import errno
import os
import socket
import stat
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from shared.runtime.listen import Listen

BACKLOG = 1024
_NOT_HERE = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""What a name says of another family of addresses, where the machine has none of it."""


def bound(listen: Listen, mode: int = 0o660) -> Sequence[socket.socket]:
    """Sockets that clients can connect to; `mode` is that of a path.

    Raises:
        OSError: somebody else listens there, or we may not.
    """
    sockets = [_bound_path(listen.path, mode)] if listen.path else _bound_addresses(listen)
    for each in sockets:
        each.setblocking(False)
    return sockets


def _bound_addresses(listen: Listen) -> list[socket.socket]:
    """One socket for each address that the host has."""
    found = socket.getaddrinfo(listen.host or None, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    absent: OSError | None = None
    with ExitStack() as stack:
        for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
            try:
                made = socket.create_server(address[:2], family=family, backlog=BACKLOG)
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                absent = error
            else:
                sockets.append(stack.enter_context(made))
        if absent is not None and not sockets:
            raise absent
        stack.pop_all()
    return sockets


def _bound_path(path: Path, mode: int) -> socket.socket:
    """Bind under a private umask and open the mode afterwards, so that nobody gets in between."""
    _remove_abandoned(path)
    made = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        made.bind(str(path))
        made.listen(BACKLOG)
    except BaseException:
        made.close()
        raise
    finally:
        os.umask(before)
    os.chmod(path, mode)  # noqa: PTH101 - one quick call, as the umask above
    return made


def _remove_abandoned(path: Path) -> None:
    """Take away a socket that a killed process left behind."""
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode) and not _answers(path):
        path.unlink()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True

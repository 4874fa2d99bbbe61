"""Who files belong to: names and numbers of users and groups."""

import grp
import pwd
from typing import NamedTuple

from agent.files.target import Owner

_UNCHANGED = -1


class Ids(NamedTuple):
    """Numbers as `chown` takes them; -1 leaves what is."""

    user: int = _UNCHANGED
    group: int = _UNCHANGED


def ids_of(owner: Owner) -> Ids:
    """The numbers of an owner.

    Raises:
        OSError: there is no such user or group.
    """
    return Ids(_user(owner.user), _group(owner.group))


def _user(name: str) -> int:
    if not name or name.isdigit():
        return int(name) if name else _UNCHANGED
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError as error:
        msg = f"there is no user {name!r} on this machine"
        raise OSError(msg) from error


def _group(name: str) -> int:
    if not name or name.isdigit():
        return int(name) if name else _UNCHANGED
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as error:
        msg = f"there is no group {name!r} on this machine"
        raise OSError(msg) from error

"""How a file stands at its place: whether it holds what it should, or the same as another one."""

import os
import stat
from pathlib import Path

from agent.files.owners import Ids, ids_of
from agent.files.rendering import Content


def holds(path: Path, content: Content) -> bool:
    """Whether there is a regular file of this content, mode and owner."""
    user, group = ids_of(content.owner)
    try:
        found = path.lstat()
        return (
            stat.S_ISREG(found.st_mode)
            and stat.S_IMODE(found.st_mode) == content.mode
            and user in {-1, found.st_uid}
            and group in {-1, found.st_gid}
            and found.st_size == len(content.data)
            and path.read_bytes() == content.data
        )
    except OSError:  # it is not there, or cannot be read: then it has to be written
        return False


def same(source: Path, target: Path) -> bool:
    """Whether a file stands at its place as it was staged."""
    found = source.lstat()
    user, group = given(found)
    try:
        there = target.lstat()
        return (
            (there.st_mode, there.st_size) == (found.st_mode, found.st_size)
            and user in {-1, there.st_uid}
            and group in {-1, there.st_gid}
            and target.read_bytes() == source.read_bytes()
        )
    except OSError:
        return False


def given(found: os.stat_result) -> Ids:
    """To whom a staged file was given; whoever we are ourselves was given nothing, and directories may have their say."""
    user = found.st_uid if found.st_uid != os.geteuid() else -1
    return Ids(user, found.st_gid if found.st_gid != os.getegid() else -1)

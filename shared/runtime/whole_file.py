"""Replace a file whole or not at all: readers see the old content or the new one, also after a crash."""

import os
import stat
from pathlib import Path

_DIRECTORY_MODE = 0o755


def write_if_changed(path: Path, content: bytes, mode: int) -> bool:
    """Make `path` a regular file of this content and mode; returns whether it had to be written.

    Missing parent directories are made. A symbolic link at `path` is replaced, never followed.

    Raises:
        OSError: it could not be written; what was there is still there.
    """
    if _holds(path, content, mode):
        return False
    path.parent.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
    draft = draft_of(path)
    draft.unlink(missing_ok=True)
    try:
        write_new(draft, content, mode)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
    return True


def draft_of(path: Path) -> Path:
    """Where a file is written before it is renamed to its path.

    One fixed name: what a killed process left behind is cleared away by the next write.
    """
    return path.with_name(f".{path.name}.trimtab")


def _holds(path: Path, content: bytes, mode: int) -> bool:
    try:
        found = path.lstat()
        return (
            stat.S_ISREG(found.st_mode)
            and stat.S_IMODE(found.st_mode) == mode
            and found.st_size == len(content)
            and path.read_bytes() == content
        )
    except OSError:  # it is not there, or cannot be read: then it has to be written
        return False


def write_new(path: Path, content: bytes, mode: int, owner: tuple[int, int] = (-1, -1)) -> None:
    """Write a file that is not there yet, and flush it to the disk.

    Mode and owner (numbers of user and group, -1 for one's own) are right before the first byte is there.

    Raises:
        OSError: it is there, or cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb", closefd=True) as file:  # noqa: PTH123 - a descriptor, not a path
        if owner != (-1, -1):
            os.fchown(descriptor, *owner)
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def sync_directory(path: Path) -> None:
    """Make the rename itself durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

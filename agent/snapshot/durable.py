"""Writing that is whole or not at all, and that only its owner can read."""

import contextlib
import os
from pathlib import Path

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
_PRIVATE = 0o600


def create(path: Path) -> int:
    """Open a new, empty, private file for writing."""
    return os.open(path, _NEW_FILE, _PRIVATE)


def write_all(descriptor: int, content: bytes) -> None:
    """Write everything, also where the system takes it in pieces."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def replace(path: Path, content: bytes) -> None:
    """Have `path` hold `content` and nothing else, also after a loss of power; before that it is as it was."""
    temporary = path.with_suffix(".temporary")
    try:
        descriptor = create(temporary)
        try:
            write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make durable which files there are."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

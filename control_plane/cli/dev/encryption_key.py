"""The key-encryption key of one data directory: made at the first start, and never again."""

import os
from pathlib import Path

from control_plane.key_encryption.local import new_key


def encryption_key(path: Path) -> str:
    """The key in this file; a new one if there is none. It is whole on disk before anything is encrypted under it."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        key = new_key()
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(f"{key}\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return key

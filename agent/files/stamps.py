"""What tells one state of files from another, without reading them: whoever changes one leaves another stamp."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

Stamp: TypeAlias = tuple[int, ...] | None
"""None while there is nothing."""


def stamps(places: Iterable[Path], sources: Iterable[Path]) -> Mapping[Path, Stamp]:
    """The stamps of `places` as they stand, links as links, and of what the `sources` lead to."""
    found = {path: _stamp(path, follow=False) for path in places}
    return found | {path: _stamp(path, follow=True) for path in sources}


def _stamp(path: Path, *, follow: bool) -> Stamp:
    try:
        found = os.stat(path, follow_symlinks=follow)  # noqa: PTH116 - one call for both
    except OSError:
        return None
    # The time of the last change of anything, mode and owner included, cannot be set back.
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

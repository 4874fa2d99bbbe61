"""A revision that people gave a name, to find what stood there again."""

import re
from dataclasses import dataclass
from datetime import datetime

SNAPSHOT_NAME_PATTERN = r"[A-Za-z][A-Za-z0-9_.-]{0,99}"
"""What a name looks like: unlike a revision or an instant, it begins with a letter."""

_NAME = re.compile(SNAPSHOT_NAME_PATTERN)


def is_snapshot_name(text: str) -> bool:
    """Whether `text` may name a snapshot."""
    return _NAME.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class NamedSnapshot:
    """A pinned revision. `committed_at` is when it was committed; None for revision 0, which is before all changes."""

    name: str
    revision: int
    committed_at: datetime | None
    description: str
    created_at: datetime
    created_by: str

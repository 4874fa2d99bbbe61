"""A revision that people gave a name, to find what stood there again."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class NamedSnapshot:
    """A pinned revision. `committed_at` is when it was committed; None for revision 0, which is before all changes."""

    name: str
    revision: int
    committed_at: datetime | None
    description: str
    created_at: datetime
    created_by: str

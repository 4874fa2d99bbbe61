"""Keys of people and machines: the name under which one acts, and the role that says what it may do."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from control_plane.domain.access.role import Role

LONGEST_LIFE = timedelta(days=3_650)
"""How far away the end of a key can be; a key without an end has none."""
_RESERVED = frozenset({"anybody", "operator", "system"})
_OF_AGENTS = "agent"


def is_reserved(name: str) -> bool:
    """Whether only the program itself acts under this name."""
    return name in _RESERVED or name.startswith(_OF_AGENTS)


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key that is asked for."""

    name: str
    role: Role
    description: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret, which is shown once, when it is made."""

    id: UUID
    name: str
    role: Role
    description: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None

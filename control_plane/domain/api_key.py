"""Keys of people and machines: the name under which one acts, and the role that says what it may do."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from control_plane.domain.access.role import Role

LONGEST_LIFE = timedelta(days=3_650)
"""How far away the end of a key can be; a key without an end has none."""
LONGEST_OVERLAP = timedelta(days=30)
"""How long the secret before the present one may go on working."""
MAX_ADDRESSES = 32
HINT_LENGTH = 4
"""Characters of a secret that are shown ever after, so that people can tell which one they have: 24 bits of 256."""
_RESERVED = frozenset({"anybody", "operator", "system"})
_OF_AGENTS = "agent"


def hint_of(secret: str) -> str:
    """How a secret begins: its prefix, which is the same for all of a role, and a few characters."""
    brand, role, rest = secret.split("_", 2)
    return f"{brand}_{role}_{rest[:HINT_LENGTH]}"


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
    addresses: tuple[str, ...] = ()
    """Networks from which it may be used; none for anywhere."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret, which is shown once, when it is made. `hint` is how that begins.

    `former_until` is when the secret before the present one stops working; None if it does not work any more.
    `last_used_at` is some seconds behind.
    """

    id: UUID
    name: str
    role: Role
    description: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    hint: str = ""
    addresses: tuple[str, ...] = ()
    rotated_at: datetime | None = None
    former_until: datetime | None = None
    last_used_at: datetime | None = None
    last_used_from: str = ""


@dataclass(frozen=True, slots=True)
class Use:
    """That a credential was used, when and from where."""

    credential: UUID
    at: datetime
    address: str

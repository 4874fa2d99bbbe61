"""Who is calling: the bootstrap operator, somebody with an API key, or the agents of one app/environment.

Tokens are kept as hashes only.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What a principal may do at all."""

    OPERATOR = "operator"
    """The bootstrap operator: everything in the API."""
    ADMIN = "admin"
    """Everything in the API."""
    VIEWER = "viewer"
    """Look at everything that is no secret."""
    EDITOR = "editor"
    """Propose changes; others approve and commit them."""
    APPROVER = "approver"
    """Approve and reject what others propose."""
    PUBLISHER = "publisher"
    """Propose changes, and commit what needs no approval or has it."""
    AUDITOR = "auditor"
    """Look at everything that is no secret, and at the audit records."""
    AGENT = "agent"
    """Read the snapshot of its own app/environment, and report about itself."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A known caller. An agent's `app_id` and `environment` are set, everybody else's are None.

    `expires_at` is when its credentials stop working by themselves.
    """

    id: str
    role: Role
    app_id: str | None = None
    environment: str | None = None
    expires_at: datetime | None = None

    def is_over(self, now: datetime) -> bool:
        """Whether its credentials have expired."""
        return self.expires_at is not None and self.expires_at <= now

    def sees(self, app_id: str, environment: str) -> bool:
        """Whether this principal may read the snapshot of this app/environment."""
        return self.role is not Role.AGENT or (self.app_id, self.environment) == (app_id, environment)


def new_token(role: Role) -> str:
    """A new secret of 256 bits; the prefix lets secret scanners and people see what it is."""
    return f"trimtab_{role}_{secrets.token_urlsafe(32)}"


def token_hash(token: str) -> bytes:
    """What is stored of a token. Tokens have 256 random bits, so a fast hash cannot be searched."""
    return hashlib.sha256(token.encode()).digest()

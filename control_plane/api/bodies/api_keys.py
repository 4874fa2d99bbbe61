"""API keys of people and machines."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator

from control_plane.api.bodies.fields import Body, Moment, Name, Text
from control_plane.domain.access.role import Role
from control_plane.domain.api_key import ApiKey, is_reserved
from control_plane.domain.api_key import NewApiKey as Asked


def _not_reserved(name: str) -> str:
    if is_reserved(name):
        msg = "this name is reserved: operator, system, anybody and all that begin with agent are"
        raise ValueError(msg)
    return name


class NewApiKey(Body):
    """A key to make."""

    name: Annotated[Name, AfterValidator(_not_reserved)]
    """Who acts with it: changes and audit records are attributed to this name."""
    role: Literal["viewer", "editor", "approver", "publisher", "auditor", "admin", "member"]
    """What it may do everywhere. `member`: nothing but what is granted to `service:<name>` by bindings."""
    description: Text = ""
    """For people."""
    expires_at: Moment | None = None
    """When it stops working by itself; null for never."""

    @property
    def asked(self) -> Asked:
        """What is asked for, in the domain's words."""
        return Asked(self.name, Role(self.role), self.description, self.expires_at)


@dataclass(frozen=True, slots=True)
class ApiKeyView:
    """A key without its secret."""

    id: UUID
    name: str
    role: str
    description: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """Show a key."""
        return cls(key.id, key.name, key.role, key.description, key.created_at, key.created_by, key.expires_at)


@dataclass(frozen=True, slots=True)
class NewApiKeyView:
    """A key just made. `token` is the secret; it is shown this once and kept nowhere."""

    id: UUID
    name: str
    role: str
    description: str
    expires_at: datetime | None
    token: str

    @classmethod
    def of(cls, key: ApiKey, token: str) -> Self:
        """Show a key with its secret."""
        return cls(key.id, key.name, key.role, key.description, key.expires_at, token)

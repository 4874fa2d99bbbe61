"""API keys of people and machines."""

from dataclasses import dataclass, fields
from datetime import datetime
from ipaddress import ip_network
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field

from control_plane.api.bodies.fields import Body, Moment, Name, Text
from control_plane.domain.access.role import Role
from control_plane.domain.api_key import LONGEST_OVERLAP, MAX_ADDRESSES, ApiKey, is_reserved
from control_plane.domain.api_key import NewApiKey as Asked


def _not_reserved(name: str) -> str:
    if is_reserved(name):
        msg = "this name is reserved: operator, system, anybody and all that begin with agent are"
        raise ValueError(msg)
    return name


def _network(text: str) -> str:
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        msg = "must be an address or a network: 192.0.2.7, 10.0.0.0/8, 2001:db8::/32"
        raise ValueError(msg) from None


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
    addresses: Annotated[
        list[Annotated[str, Field(max_length=64), AfterValidator(_network)]], Field(max_length=MAX_ADDRESSES)
    ] = Field(default_factory=list)
    """Addresses and networks from which it may be used; none for anywhere."""

    @property
    def asked(self) -> Asked:
        """What is asked for, in the domain's words."""
        return Asked(self.name, Role(self.role), self.description, self.expires_at, tuple(self.addresses))


@dataclass(frozen=True, slots=True)
class ApiKeyView:
    """A key without its secret. `hint` is how that begins; `last_used_at` is some seconds behind.

    `former_until` is when the secret before the present one stops working; null if it does not work any more.
    """

    id: UUID
    name: str
    role: str
    description: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    hint: str
    addresses: tuple[str, ...]
    rotated_at: datetime | None
    former_until: datetime | None
    last_used_at: datetime | None
    last_used_from: str

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """Show a key."""
        return cls(**{each.name: getattr(key, each.name) for each in fields(cls)})


class Rotation(Body):
    """How to change a secret."""

    overlap: Annotated[int, Field(ge=0, le=int(LONGEST_OVERLAP.total_seconds()))] = 86_400
    """Seconds for which the present secret goes on working."""


@dataclass(frozen=True, slots=True)
class NewApiKeyView:
    """A key just made. `token` is the secret; it is shown this once and kept nowhere."""

    id: UUID
    name: str
    role: str
    description: str
    expires_at: datetime | None
    hint: str
    addresses: tuple[str, ...]
    former_until: datetime | None
    token: str

    @classmethod
    def of(cls, key: ApiKey, token: str) -> Self:
        """Show a key with its secret."""
        shown = {each.name: getattr(key, each.name) for each in fields(cls) if each.name != "token"}
        return cls(**shown, token=token)

"""Who is calling: a person, a machine, or the agents of one app/environment; and what was granted to them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from ipaddress import ip_address, ip_network

from control_plane.domain.access.permission import Permission
from control_plane.domain.access.reach import GLOBAL, Place, Reach
from control_plane.domain.access.role import PERMISSIONS, STANDING_FOR, STRENGTH, Role, is_built_in


class PrincipalKind(StrEnum):
    """What sort of caller it is."""

    USER = "user"
    SERVICE_ACCOUNT = "service_account"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Grant:
    """A role somewhere. `source` says where it comes from: a binding, a key, the bootstrap."""

    role: str
    permissions: frozenset[Permission]
    reach: Reach
    source: str

    @property
    def acts_as(self) -> Role:
        """The built-in role that records and policies see behind it."""
        if is_built_in(self.role):
            return Role(self.role)
        return next((role for mark, role in STANDING_FOR if mark in self.permissions), Role.VIEWER)


@dataclass(frozen=True, slots=True)
class Principal:
    """A known caller with its grants. An agent's `app_id` and `environment` are set, everybody else's are None.

    `expires_at` is when its credentials stop working by themselves; `credential` is the id of what it showed,
    `addresses` are the networks from which that may be shown; none for anywhere.
    """

    id: str
    kind: PrincipalKind
    grants: tuple[Grant, ...] = ()
    app_id: str | None = None
    environment: str | None = None
    instance: str | None = None
    expires_at: datetime | None = None
    groups: tuple[str, ...] = ()
    credential: str = field(default="", compare=False)
    addresses: tuple[str, ...] = field(default=(), compare=False)
    everywhere: frozenset[Permission] = field(init=False, repr=False, compare=False)
    """What it may do without looking at where: the union of its grants that reach everything."""

    def __post_init__(self) -> None:
        """Work out once what is asked of every request."""
        unlimited = [each.permissions for each in self.grants if each.reach.is_global]
        object.__setattr__(self, "everywhere", frozenset[Permission]().union(*unlimited))

    @property
    def is_agent(self) -> bool:
        """Whether it is an agent of an app/environment."""
        return self.kind is PrincipalKind.AGENT

    @property
    def role(self) -> Role:
        """The strongest role that it has anywhere."""
        return max((each.acts_as for each in self.grants), key=STRENGTH.__getitem__, default=_weakest(self.kind))

    def role_at(self, permission: Permission, places: Iterable[Place]) -> Role:
        """The role in which it does this at all these places: at each the strongest that lets it, of these the weakest."""
        found = [
            max(able, key=STRENGTH.__getitem__)
            for place in places
            if (
                able := [
                    each.acts_as for each in self.grants if permission in each.permissions and each.reach.covers(place)
                ]
            )
        ]
        return min(found, key=STRENGTH.__getitem__, default=self.role)

    def may_come_from(self, address: str) -> bool:
        """Whether what it showed may be shown from there. Only for who has `addresses` anything is parsed."""
        if not self.addresses:
            return True
        try:
            here = ip_address(address)
        except ValueError:
            return False
        here = getattr(here, "ipv4_mapped", None) or here
        return any(here in ip_network(each) for each in self.addresses)

    def is_over(self, now: datetime) -> bool:
        """Whether its credentials have expired."""
        return self.expires_at is not None and self.expires_at <= now


def built_in(role: Role, reach: Reach = GLOBAL, source: str = "") -> Grant:
    """A built-in role as a grant."""
    return Grant(role, PERMISSIONS[role], reach, source or f"role:{role}")


def holder(
    name: str,
    role: Role,
    *,
    expires_at: datetime | None = None,
    credential: str = "",
    addresses: Iterable[str] = (),
) -> Principal:
    """Somebody with one built-in role everywhere: the bootstrap operator, or who has an API key."""
    kind = PrincipalKind.USER if role is Role.OPERATOR else PrincipalKind.SERVICE_ACCOUNT
    grants = (built_in(role),)
    return Principal(name, kind, grants, expires_at=expires_at, credential=credential, addresses=tuple(addresses))


def agent_of(
    app_id: str,
    environment: str,
    name: str,
    *,
    instance: str | None = None,
    expires_at: datetime | None = None,
    credential: str = "",
) -> Principal:
    """An agent: of its own app/environment and nothing else."""
    grants = (built_in(Role.AGENT, Reach(app_id, environment)),)
    return Principal(
        name, PrincipalKind.AGENT, grants, app_id, environment, instance, expires_at, credential=credential
    )


def _weakest(kind: PrincipalKind) -> Role:
    return Role.AGENT if kind is PrincipalKind.AGENT else Role.MEMBER

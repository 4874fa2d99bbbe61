"""Roles, who has them, and why somebody may do something or not."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, Field, field_validator

from control_plane.api.bodies.changes import MAX_VERSION
from control_plane.api.bodies.fields import Body, Name, Query, Text, without_nul
from control_plane.api.bodies.pages import PageQuery, Param
from control_plane.domain.access.binding import SUBJECT_LENGTH, Binding
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.principal import Grant, Principal
from control_plane.domain.access.reach import Place, Reach
from control_plane.domain.access.role import PERMISSIONS, CustomRole, Role
from control_plane.services.explaining import Explanation
from shared.domain.scope import is_key

_REACH_LENGTH = 500


def _reach(text: str) -> str:
    return str(Reach.parse(text))


def _permission(text: str) -> str:
    if text not in set(Permission) - {Permission.SELF}:
        msg = f"there is no permission {text[:100]!r}"
        raise ValueError(msg)
    return text


Subject = Annotated[
    str, AfterValidator(without_nul), Field(max_length=SUBJECT_LENGTH, examples=["user:anna", "group:platform"])
]
ReachText = Annotated[
    str, AfterValidator(_reach), Field(max_length=_REACH_LENGTH, examples=["global", "billing/prod/db.*"])
]
PermissionName = Annotated[str, AfterValidator(_permission), Field(max_length=100, examples=["configs.write"])]


class RoleBody(Body):
    """A role to keep under the name in the path."""

    permissions: Annotated[list[PermissionName], Field(min_length=1, max_length=len(Permission))]
    """What somebody with this role may do."""
    description: Text = ""
    """For people."""
    version: Annotated[int | None, Field(ge=0, le=MAX_VERSION)] = None
    """The version that was read, if there is no If-Match; 0: there is none yet. Null: whatever is there."""

    @property
    def asked(self) -> frozenset[Permission]:
        """The permissions, in the domain's words."""
        return frozenset(map(Permission, self.permissions))


@dataclass(frozen=True, slots=True)
class RoleView:
    """A role. A built-in one stays as it is and has no version."""

    name: str
    built_in: bool
    permissions: tuple[str, ...]
    description: str
    version: int | None
    updated_at: datetime | None
    updated_by: str | None

    @classmethod
    def ours(cls, role: Role) -> Self:
        """Show a built-in role."""
        return cls(role.value, True, tuple(sorted(PERMISSIONS[role])), "", None, None, None)

    @classmethod
    def of(cls, role: CustomRole) -> Self:
        """Show a role of this installation."""
        may = tuple(sorted(role.permissions))
        return cls(role.name, False, may, role.description, role.version, role.updated_at, role.updated_by)


class NewBinding(Body):
    """A role to grant."""

    subject: Subject
    """To whom: `user:<id>`, `group:<name>` or `service:<name of an API key>`."""
    role: Annotated[str, Field(min_length=1, max_length=63, examples=["publisher"])]
    """Which role."""
    reach: ReachText
    """How far: `global`, `<app>`, `<app>/<environment>` or `<app>/<environment>/<keys>`; `*` is any."""


class BindingQuery(PageQuery):
    """Which bindings."""

    subject: Param | None = None
    """Only those of this subject."""
    role: Param | None = None
    """Only those of this role."""


@dataclass(frozen=True, slots=True)
class BindingView:
    """A role that somebody has, as far as it reaches."""

    id: UUID
    subject: str
    role: str
    reach: str
    created_at: datetime
    created_by: str

    @classmethod
    def of(cls, binding: Binding) -> Self:
        """Show a binding."""
        return cls(
            binding.id, binding.subject, binding.role, str(binding.reach), binding.created_at, binding.created_by
        )


@dataclass(frozen=True, slots=True)
class GrantView:
    """A role that somebody has, from where, and how far."""

    role: str
    reach: str
    source: str

    @classmethod
    def of(cls, grant: Grant) -> Self:
        """Show a grant."""
        return cls(grant.role, str(grant.reach), grant.source)


@dataclass(frozen=True, slots=True)
class WhoamiView:
    """Who calls, and what was granted to him. An agent has an app/environment."""

    id: str
    kind: str
    role: str
    groups: tuple[str, ...]
    app_id: str | None
    environment: str | None
    expires_at: datetime | None
    grants: tuple[GrantView, ...]
    everywhere: tuple[str, ...]
    """The permissions that reach the whole installation."""

    @classmethod
    def of(cls, principal: Principal) -> Self:
        """Show a principal."""
        return cls(
            principal.id,
            principal.kind.value,
            principal.role.value,
            principal.groups,
            principal.app_id,
            principal.environment,
            principal.expires_at,
            tuple(map(GrantView.of, principal.grants)),
            tuple(sorted(principal.everywhere)),
        )


class ExplainQuery(Query):
    """A question: may somebody do this there?"""

    permission: PermissionName
    """What is to be done, by its permission."""
    app_id: Name | None = None
    """Of which application; left out: of the installation."""
    environment: Name | None = None
    """In which of its environments; left out: in all of it."""
    key: Param | None = None
    """To which config; left out: to all of them."""
    principal: Param | None = None
    """Whom: `user:<id>`, `group:<name>` or `service:<name of an API key>`; left out: whoever asks."""
    group: Annotated[tuple[Param, ...], Field(max_length=100)] = ()
    """A group that this user is in. May be repeated."""

    @field_validator("key")
    @classmethod
    def _is_a_key(cls, key: str | None) -> str | None:
        if key is not None and not is_key(key):
            msg = "not a key that a config can have"
            raise ValueError(msg)
        return key

    @property
    def place(self) -> Place:
        """Where."""
        return Place(self.app_id, self.environment, self.key)


@dataclass(frozen=True, slots=True)
class ExplanationView:
    """A decision, why it is so, by which grant, and what would allow it: one of `roles`, granted for `reach`."""

    principal: str
    permission: str
    place: str
    allowed: bool
    because: str
    grant: GrantView | None
    roles: tuple[str, ...]
    reach: str
    grants: tuple[GrantView, ...]

    @classmethod
    def of(cls, found: Explanation) -> Self:
        """Show a decision."""
        decision, place = found.decision, found.place
        return cls(
            found.principal.id,
            found.permission.value,
            str(place),
            decision.allowed,
            decision.because,
            None if decision.grant is None else GrantView.of(decision.grant),
            found.roles,
            str(Reach(place.app_id, place.environment, place.key if place.environment else None)),
            tuple(map(GrantView.of, found.principal.grants)),
        )

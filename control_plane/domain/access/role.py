"""Roles: the built-in ones, and those that an installation makes for itself. A role is a name for some permissions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from control_plane.domain.access.permission import Permission


class Role(StrEnum):
    """The built-in roles."""

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
    MEMBER = "member"
    """Nothing by itself: what is granted to it by bindings."""
    AGENT = "agent"
    """Read the snapshot of its own app/environment, and report about itself."""


@dataclass(frozen=True, slots=True)
class CustomRole:
    """A role of this installation. `version` counts its edits."""

    name: str
    permissions: frozenset[Permission]
    description: str
    version: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


_LOOK = frozenset(
    {
        Permission.APPS_READ,
        Permission.CONFIGS_READ,
        Permission.VALUES_READ,
        Permission.ROLES_READ,
        Permission.CHANGES_READ,
        Permission.SNAPSHOTS_READ,
        Permission.FLEET_READ,
        Permission.POLICIES_READ,
        Permission.SCHEMAS_READ,
        Permission.NAMED_SNAPSHOTS_READ,
        Permission.ROLLOUTS_READ,
        Permission.EXPORTS_READ,
    }
)
_PROPOSE = frozenset({Permission.CHANGES_PROPOSE, Permission.ROLLOUTS_WRITE, Permission.ROLLOUTS_ABORT})
_APPROVE = frozenset({Permission.CHANGES_APPROVE, Permission.ROLLOUTS_APPROVE, Permission.ROLLOUTS_ABORT})
_PUBLISH = _PROPOSE | {Permission.CONFIGS_WRITE, Permission.ROLLOUTS_OPERATE, Permission.NAMED_SNAPSHOTS_WRITE}
_EVERYTHING = frozenset(Permission) - {Permission.SELF}

PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.OPERATOR: _EVERYTHING,
    Role.ADMIN: _EVERYTHING,
    Role.MEMBER: frozenset(),
    Role.VIEWER: _LOOK,
    Role.EDITOR: _LOOK | _PROPOSE,
    Role.APPROVER: _LOOK | _APPROVE,
    Role.PUBLISHER: _LOOK | _PUBLISH,
    Role.AUDITOR: _LOOK
    | {Permission.AUDIT_READ, Permission.USERS_READ, Permission.BINDINGS_READ, Permission.ACCESS_EXPLAIN},
    Role.AGENT: frozenset({Permission.SNAPSHOTS_READ, Permission.FLEET_REPORT}),
}
"""What each built-in role may do, as far as it is granted. Whoever may have a say in a rollout may abort it: that brings
back what was there before, and is needed in a hurry."""

STRENGTH: Mapping[str, int] = {
    role: rank
    for rank, role in enumerate(
        (
            Role.AGENT,
            Role.MEMBER,
            Role.VIEWER,
            Role.AUDITOR,
            Role.EDITOR,
            Role.APPROVER,
            Role.PUBLISHER,
            Role.ADMIN,
            Role.OPERATOR,
        )
    )
}
"""Which of two built-in roles speaks for a principal that has both: the one with the higher number."""

STANDING_FOR: tuple[tuple[Permission, Role], ...] = (
    (Permission.CONFIGS_WRITE, Role.PUBLISHER),
    (Permission.CHANGES_APPROVE, Role.APPROVER),
    (Permission.CHANGES_PROPOSE, Role.EDITOR),
    (Permission.AUDIT_READ, Role.AUDITOR),
)
"""As what somebody with a role of this installation acts, where records and policies know the built-in ones: the first
one whose mark it has."""

_ROLE_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


def is_role_name(text: str) -> bool:
    """Whether a role may have this name."""
    return _ROLE_NAME.fullmatch(text) is not None


BINDABLE = frozenset(Role) - {Role.OPERATOR, Role.AGENT, Role.MEMBER}
"""The built-in roles that can be granted. The others come with a credential."""


def is_built_in(name: str) -> bool:
    """Whether a role of this name is ours."""
    return name in PERMISSIONS

"""Who was granted which role, and how far: the book of an installation's roles and bindings."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from uuid import UUID

from control_plane.domain.access.permission import Permission
from control_plane.domain.access.principal import Grant
from control_plane.domain.access.reach import Reach
from control_plane.domain.access.role import PERMISSIONS, CustomRole, Role, is_built_in

MAX_ROLES = 200
MAX_BINDINGS = 5_000
"""Of an installation: all of them are kept in memory."""
SUBJECT_LENGTH = 300
_SUBJECT = re.compile(r"(user|group|service):[^\s\x00-\x1f\x7f]{1,290}")


@dataclass(frozen=True, slots=True)
class Binding:
    """A role that a subject has as far as its reach goes. A subject is `user:…`, `group:…` or `service:…`."""

    id: UUID
    subject: str
    role: str
    reach: Reach
    created_at: datetime
    created_by: str


@dataclass(frozen=True)
class Book:
    """All roles and bindings at one revision of theirs."""

    revision: int
    roles: Mapping[str, CustomRole] = field(default_factory=dict)
    bindings: tuple[Binding, ...] = ()

    @cached_property
    def _by_subject(self) -> Mapping[str, Sequence[Grant]]:
        found: dict[str, list[Grant]] = {}
        for each in self.bindings:
            grant = Grant(each.role, self.permissions(each.role) or frozenset(), each.reach, f"binding:{each.subject}")
            found.setdefault(each.subject, []).append(grant)
        return found

    def permissions(self, role: str) -> frozenset[Permission] | None:
        """What a role may do; None if there is no such role."""
        if is_built_in(role):
            return PERMISSIONS[Role(role)]
        return self.roles[role].permissions if role in self.roles else None

    def grants(self, subject: str, groups: Sequence[str] = ()) -> tuple[Grant, ...]:
        """What was granted to a subject, and to the groups that it is in."""
        subjects = (subject, *(f"group:{each}" for each in groups))
        return tuple(grant for each in subjects for grant in self._by_subject.get(each, ()))


def is_subject(text: str) -> bool:
    """Whether something can be granted to this subject."""
    return _SUBJECT.fullmatch(text) is not None

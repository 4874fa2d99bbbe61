"""Why somebody may do something, or may not: the one decision, told."""

from collections.abc import Sequence
from dataclasses import dataclass

from control_plane.domain.access.binding import Book
from control_plane.domain.access.decision import Decision, decide
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.principal import Principal, PrincipalKind
from control_plane.domain.access.reach import Place
from control_plane.domain.access.role import BINDABLE, PERMISSIONS
from control_plane.domain.errors import ForbiddenError, NotFoundError
from control_plane.ports.credentials import Credentials
from control_plane.services.bindings import Bindings

_SERVICE = "service:"


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision about a principal. `roles`: those that would allow it, if they were granted for the place."""

    principal: Principal
    permission: Permission
    place: Place
    decision: Decision
    roles: tuple[str, ...]


class Explaining:
    """Explains decisions about whoever calls, and about others."""

    def __init__(self, bindings: Bindings, credentials: Credentials) -> None:
        self._bindings, self._credentials = bindings, credentials

    async def explain(
        self, caller: Principal, subject: str | None, groups: Sequence[str], permission: Permission, place: Place
    ) -> Explanation:
        """Why a subject may do this there, or may not; the caller himself without one.

        Raises:
            ForbiddenError: the caller may not be told about others.
            NotFoundError: there is no such API key.
        """
        about = caller if _is_self(caller, subject) else await self._other(caller, subject or "", groups)
        decision = decide(about, permission, place)
        return Explanation(about, permission, place, decision, _able(await self._bindings.book(), permission))

    async def _other(self, caller: Principal, subject: str, groups: Sequence[str]) -> Principal:
        if Permission.ACCESS_EXPLAIN not in caller.everywhere:
            msg = f"To be told about others takes the permission {Permission.ACCESS_EXPLAIN} for global."
            raise ForbiddenError(Permission.ACCESS_EXPLAIN, msg)
        granted = await self._bindings.of(subject, groups)
        if not subject.startswith(_SERVICE):
            return Principal(subject.partition(":")[2], PrincipalKind.USER, granted, groups=tuple(groups))
        name = subject.removeprefix(_SERVICE)
        found = await self._credentials.named(name)
        if found is None:
            kind = "API key"
            raise NotFoundError(kind, name)
        return Principal(name, PrincipalKind.SERVICE_ACCOUNT, (*found.grants, *granted), expires_at=found.expires_at)


def _is_self(caller: Principal, subject: str | None) -> bool:
    return subject is None or subject == caller.id or subject == f"{_spelled(caller.kind)}:{caller.id}"


def _spelled(kind: PrincipalKind) -> str:
    return "service" if kind is PrincipalKind.SERVICE_ACCOUNT else str(kind)


def _able(book: Book, permission: Permission) -> tuple[str, ...]:
    ours = [role for role in sorted(BINDABLE) if permission in PERMISSIONS[role]]
    own = [name for name, role in sorted(book.roles.items()) if permission in role.permissions]
    return (*ours, *own)

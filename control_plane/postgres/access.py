"""Roles and bindings (port `AccessBook`)."""

from datetime import datetime
from uuid import UUID

import asyncpg

from control_plane.domain.access.binding import MAX_BINDINGS, MAX_ROLES, Binding, Book
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.reach import Reach
from control_plane.domain.access.role import CustomRole, is_built_in
from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import ConflictError, InvalidError, NotFoundError, VersionMismatchError
from control_plane.postgres.pool import fetch
from control_plane.postgres.queries import sql
from control_plane.postgres.rows import attributed
from shared.domain.codec import Json, decode
from shared.wire.problem import Violation

_REVISION = sql("access_revision")
_READ = sql("access_book")
_PUT_ROLE = sql("put_role")
_DROP_ROLE = sql("drop_role")
_BIND = sql("bind_role")
_UNBIND = sql("unbind_role")
_ROLE = "role"
_BINDING = "role binding"
_KNOWN = frozenset(Permission)


class PostgresAccessBook:
    """Keeps roles and bindings; each act is audited in the same transaction."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def revision(self) -> int:
        """The revision that they are at."""
        return int((await fetch(self._pool, _REVISION))[0][0])

    async def read(self) -> Book:
        """All of them, at one instant."""
        (row,) = await fetch(self._pool, _READ)
        roles = {each["name"]: _role(each) for each in decode(row["roles"])}
        return Book(row["revision"], roles, tuple(map(_binding, decode(row["bindings"]))))

    async def put_role(
        self, role: str, permissions: frozenset[Permission], description: str, by: Attribution, expected: int | None
    ) -> None:
        """Keep a role under a name; the same one again is no change."""
        may = sorted(permissions)
        done = await self._do(_PUT_ROLE, role, may, description, expected, MAX_ROLES, attributed(by))
        if "many" in done:
            raise InvalidError([Violation("", f"the limit roles is {MAX_ROLES} in an installation")])
        if "current" in done:
            raise VersionMismatchError(expected or 0, done["current"])

    async def drop_role(self, role: str, by: Attribution) -> None:
        """Forget a role."""
        done = await self._do(_DROP_ROLE, role, attributed(by))
        if "missing" in done:
            raise NotFoundError(_ROLE, role)
        if "bound" in done:
            msg = f"{done['bound']} bindings grant the role {role}: delete these first."
            raise ConflictError(msg, name=role, bindings=done["bound"])

    async def bind(self, subject: str, role: str, reach: Reach, by: Attribution) -> UUID:
        """Grant a role."""
        given = (subject, role, str(reach), is_built_in(role), MAX_BINDINGS)
        done = await self._do(_BIND, *given, attributed(by))
        if "missing" in done:
            raise InvalidError([Violation("/role", f"there is no role {role!r}")])
        if "many" in done:
            raise InvalidError([Violation("", f"the limit bindings is {MAX_BINDINGS:,} in an installation")])
        if "bound" in done:
            msg = f"{subject} has the role {role} for {reach} already."
            raise ConflictError(msg, id=done["bound"])
        return UUID(done["id"])

    async def unbind(self, binding_id: UUID, by: Attribution) -> None:
        """Take a grant away."""
        done = await self._do(_UNBIND, binding_id, attributed(by))
        if "missing" in done:
            raise NotFoundError(_BINDING, str(binding_id))
        if "last" in done:
            msg = (
                "This is the last grant of admin for global, and there is no bootstrap operator and no admin's API key "
                "without an end: nobody could grant anything any more. Grant admin to somebody else first."
            )
            raise ConflictError(msg, id=str(binding_id))

    async def _do(self, query: str, *given: object) -> Json:
        return decode((await fetch(self._pool, query, *given))[0][0])


def _role(row: Json) -> CustomRole:
    """A role; permissions that this version does not know are of a newer one, and grant nothing here."""
    times = {each: datetime.fromisoformat(row[each]) for each in ("created_at", "updated_at")}
    may = frozenset(Permission(each) for each in row["permissions"] if each in _KNOWN)
    return CustomRole(**row | times | {"permissions": may})


def _binding(row: Json) -> Binding:
    made = {"id": UUID(row["id"]), "reach": Reach.parse(row["reach"])}
    return Binding(**row | made | {"created_at": datetime.fromisoformat(row["created_at"])})

"""Making roles and granting them: nobody gives away what he does not have himself, there."""

from uuid import UUID

from control_plane.domain.access.binding import Binding, Book, is_subject
from control_plane.domain.access.decision import may_grant
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.principal import Principal
from control_plane.domain.access.reach import GLOBAL, Reach
from control_plane.domain.access.role import BINDABLE, CustomRole, is_built_in, is_role_name
from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from control_plane.ports.access import AccessBook
from control_plane.services.access import Access
from control_plane.services.bindings import Bindings
from shared.wire.problem import Violation

_ROLE = "role"
_BINDING = "role binding"


class RoleKeeping:
    """Keeps roles and bindings, and lets this replica know at once."""

    def __init__(self, store: AccessBook, bindings: Bindings, access: Access) -> None:
        self._store, self._bindings, self._access = store, bindings, access

    async def book(self) -> Book:
        """All roles and bindings as they are now."""
        return await self._bindings.fresh()

    async def put_role(
        self,
        name: str,
        permissions: frozenset[Permission],
        description: str,
        maker: Principal,
        *,
        by: Attribution,
        expected: int | None,
    ) -> CustomRole:
        """Keep a role of this installation.

        Raises:
            ForbiddenError: it may do what the maker may not do everywhere.
            ConflictError: the name is a built-in role's.
            NotFoundError: no role can have this name.
            VersionMismatchError: what is there is not of the version `expected`.
        """
        _require_own_name(name)
        before = (await self.book()).permissions(name) or frozenset()
        _require_to_give(maker, f"The role {name}", permissions | before, GLOBAL)
        await self._store.put_role(name, permissions, description, by, expected)
        self._changed()
        return (await self.book()).roles[name]

    async def drop_role(self, name: str, by: Attribution) -> None:
        """Forget a role that nobody has.

        Raises:
            ConflictError: it is built in, or somebody has it.
            NotFoundError: there is none.
        """
        _require_own_name(name)
        await self._store.drop_role(name, by)
        self._changed()

    async def bind(self, subject: str, role: str, reach: Reach, maker: Principal, by: Attribution) -> Binding:
        """Grant a role to somebody.

        Raises:
            ForbiddenError: the maker does not have it there, or may not grant there.
            InvalidError: there is no such role, or it is none that can be granted.
            ConflictError: it was granted already.
        """
        permissions = (await self.book()).permissions(role)
        if not is_subject(subject):
            raise InvalidError([Violation("/subject", "user:<id>, group:<name> or service:<name of an API key>")])
        if permissions is None or (is_built_in(role) and role not in BINDABLE):
            raise InvalidError([Violation("/role", f"there is no role {role!r} that can be granted")])
        _require_to_give(maker, f"The role {role}", permissions | {Permission.BINDINGS_WRITE}, reach)
        made = await self._store.bind(subject, role, reach, by)
        self._changed()
        return _found(await self.book(), made)

    async def unbind(self, binding_id: UUID, maker: Principal, by: Attribution) -> None:
        """Take a grant away.

        Raises:
            NotFoundError: there is none, or none that the maker may know of.
            ForbiddenError: the maker may not grant there.
            ConflictError: nobody would be left who may grant anything.
        """
        binding = _found(await self.book(), binding_id)
        if may_grant(maker, frozenset({Permission.BINDINGS_WRITE}), binding.reach):
            if may_grant(maker, frozenset({Permission.BINDINGS_READ}), binding.reach):
                raise NotFoundError(_BINDING, str(binding_id))
            _require_to_give(maker, "Taking this away", frozenset({Permission.BINDINGS_WRITE}), binding.reach)
        await self._store.unbind(binding_id, by)
        self._changed()

    def _changed(self) -> None:
        self._bindings.forget()
        self._access.forget()


def _require_own_name(name: str) -> None:
    if not is_role_name(name):
        raise NotFoundError(_ROLE, name)
    if is_built_in(name):
        msg = f"The role {name} is built in and stays as it is: make one with another name."
        raise ConflictError(msg, name=name)


def _require_to_give(maker: Principal, what: str, permissions: frozenset[Permission], reach: Reach) -> None:
    if lacking := may_grant(maker, permissions, reach):
        msg = f"{what} for {reach} takes permissions that {maker.id} does not have there: {', '.join(lacking)}."
        raise ForbiddenError(lacking[0], msg)


def _found(book: Book, binding_id: UUID) -> Binding:
    found = next((each for each in book.bindings if each.id == binding_id), None)
    if found is None:
        raise NotFoundError(_BINDING, str(binding_id))
    return found

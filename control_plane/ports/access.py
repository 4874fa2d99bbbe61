"""The book of roles and bindings."""

from typing import Protocol
from uuid import UUID

from control_plane.domain.access.binding import Book
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.reach import Reach
from control_plane.domain.attribution import Attribution


class AccessBook(Protocol):
    """Keeps roles and bindings. What is done with them is attributed and audited."""

    async def revision(self) -> int:
        """The revision that they are at."""
        ...

    async def read(self) -> Book:
        """All of them, at one instant."""
        ...

    async def put_role(
        self, role: str, permissions: frozenset[Permission], description: str, by: Attribution, expected: int | None
    ) -> None:
        """Keep a role under a name; the same one again is no change.

        Raises:
            VersionMismatchError: what is there is not of the version `expected`.
            InvalidError: there are too many.
        """
        ...

    async def drop_role(self, role: str, by: Attribution) -> None:
        """Forget a role.

        Raises:
            NotFoundError: there is none of this name.
            ConflictError: somebody has it.
        """
        ...

    async def bind(self, subject: str, role: str, reach: Reach, by: Attribution) -> UUID:
        """Grant a role.

        Raises:
            InvalidError: there is no such role, or there are too many bindings.
            ConflictError: it was granted already.
        """
        ...

    async def unbind(self, binding_id: UUID, by: Attribution) -> None:
        """Take a grant away.

        Raises:
            NotFoundError: there is none.
            ConflictError: nobody would be left who may grant anything.
        """
        ...

"""Accounts with a password of this installation's: made, listed, disabled, and given other passwords."""

from control_plane.domain.access.decision import may_grant
from control_plane.domain.access.principal import Principal
from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import ForbiddenError, InvalidError, NotFoundError
from control_plane.domain.people.password import faults, normalised
from control_plane.domain.people.user import NewUser, User, subject_of
from control_plane.ports.pages import Page
from control_plane.ports.people import Users
from control_plane.services.people.passwords import Passwords
from control_plane.services.people.sessions import Granting, Sessions
from shared.wire.problem import Violation


class Accounts:
    """What administrators do with accounts, and everybody with their own. There are none until somebody makes one."""

    def __init__(self, users: Users, passwords: Passwords, sessions: Sessions, granting: Granting) -> None:
        self._users, self._passwords, self._sessions, self._granting = users, passwords, sessions, granting

    async def create(self, asked: NewUser, password: str, maker: Principal, by: Attribution) -> User:
        """Make an account.

        Raises:
            InvalidError: the password is not good enough.
            ConflictError: there is one of this name.
            ForbiddenError: to this name more is granted than the maker may do.
        """
        await self._require_no_more(maker, asked.name)
        hashed = await self._hashed(asked.name, password, "/password")
        return await self._users.create(asked, hashed, by)

    async def get(self, name: str) -> User:
        """The account of this name.

        Raises:
            NotFoundError: there is none.
        """
        user = await self._users.get(name)
        if user is None:
            kind = "user"
            raise NotFoundError(kind, name)
        return user

    async def list(self, *, limit: int, cursor: str | None) -> Page[User]:
        """All accounts by name."""
        return await self._users.list(limit=limit, cursor=cursor)

    async def set_disabled(self, name: str, maker: Principal, by: Attribution, *, disabled: bool) -> User:
        """Let nobody log in to an account any more, or again. Its sessions end at once.

        Raises:
            NotFoundError: there is no such account.
            ForbiddenError: it may do what the maker may not.
        """
        await self._require_no_more(maker, name)
        user = await self._users.set_disabled(name, by, disabled=disabled)
        await self._sessions.drop_all(user)
        return user

    async def reset_password(self, name: str, password: str, maker: Principal, by: Attribution) -> User:
        """Give an account another password. Its sessions end at once.

        Raises:
            InvalidError: the password is not good enough.
            NotFoundError: there is no such account with a password.
            ForbiddenError: it may do what the maker may not.
        """
        await self._require_no_more(maker, name)
        user = await self._users.set_password(name, await self._hashed(name, password, "/password"), by)
        await self._sessions.drop_all(user)
        return user

    async def change_own_password(self, user: User, password: str, by: Attribution) -> User:
        """Give somebody who has shown the old password the new one. All sessions end at once.

        Raises:
            InvalidError: the password is not good enough.
        """
        changed = await self._users.set_password(
            user.name, await self._hashed(user.name, password, "/new_password"), by
        )
        await self._sessions.drop_all(changed)
        return changed

    async def _require_no_more(self, maker: Principal, name: str) -> None:
        """Nobody gets at an account that may do what they may not."""
        for grant in await self._granting.of(subject_of(name), ()):
            if lacking := may_grant(maker, grant.permissions, grant.reach):
                detail = f"{subject_of(name)} has permissions that {maker.id} lacks: {', '.join(lacking)}."
                raise ForbiddenError(lacking[0], detail)

    async def _hashed(self, name: str, password: str, pointer: str) -> str:
        if found := faults(normalised(password), name):
            raise InvalidError([Violation(pointer, each) for each in found])
        return await self._passwords.hash(password)

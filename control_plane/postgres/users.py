"""Accounts of people (port `Users`)."""

from uuid import UUID

import asyncpg

from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import ConflictError, NotFoundError
from control_plane.domain.people.user import Identified, NewUser, User
from control_plane.ports.pages import Page
from control_plane.postgres.cursors import page, read_cursor
from control_plane.postgres.pool import fetch, fetch_row
from control_plane.postgres.queries import sql
from control_plane.postgres.rows import attributed
from shared.domain.codec import Json, encode

_CREATE = sql("create_user")
_GET = sql("get_user")
_BY_ID = sql("get_user_by_id")
_OF_PROVIDER = sql("get_user_of_provider")
_WITH_PASSWORD = sql("get_user_with_password")
_LIST = sql("list_users")
_SET_PASSWORD = sql("set_user_password")
_REHASH = sql("rehash_user_password")
_SET_DISABLED = sql("set_user_disabled")
_END = sql("end_user_sessions")
_LOGGED_IN = sql("user_logged_in")
_RECOGNISE = sql("recognise_user")
_KIND = "user"
_TRIES = 2


class PostgresUsers:
    """Keeps accounts; each act is audited in the same transaction."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def create(self, asked: NewUser, password_hash: str, by: Attribution) -> User:
        row = await fetch_row(self._pool, _CREATE, asked.name, asked.display_name, password_hash, attributed(by))
        if row is None:
            msg = f"There is a user {asked.name!r} already: choose another name, or reset that one's password."
            raise ConflictError(msg, name=asked.name)
        return _user(row)

    async def get(self, name: str) -> User | None:
        row = await fetch_row(self._pool, _GET, name)
        return None if row is None else _user(row)

    async def by_id(self, user_id: UUID) -> User | None:
        row = await fetch_row(self._pool, _BY_ID, user_id)
        return None if row is None else _user(row)

    async def of_provider(self, issuer: str, subject: str) -> User | None:
        row = await fetch_row(self._pool, _OF_PROVIDER, issuer, subject)
        return None if row is None else _user(row)

    async def with_password(self, name: str) -> tuple[User, str] | None:
        row = await fetch_row(self._pool, _WITH_PASSWORD, name)
        return None if row is None else (_user(row), row["password_hash"])

    async def list(self, *, limit: int, cursor: str | None) -> Page[User]:
        rows = await fetch(self._pool, _LIST, *read_cursor(cursor, [""]), limit + 1)
        return page(rows, limit, _user, "name")

    async def set_password(self, name: str, password_hash: str, by: Attribution) -> User:
        return self._found(name, await fetch_row(self._pool, _SET_PASSWORD, name, password_hash, attributed(by)))

    async def rehash(self, user_id: UUID, before: str, after: str) -> None:
        await fetch(self._pool, _REHASH, user_id, before, after)

    async def set_disabled(self, name: str, by: Attribution, *, disabled: bool) -> User:
        return self._found(name, await fetch_row(self._pool, _SET_DISABLED, name, disabled, attributed(by)))

    async def end_sessions(self, user_id: UUID, by: Attribution) -> None:
        await fetch(self._pool, _END, user_id, attributed(by))

    async def logged_in(self, user: User, by: Attribution, detail: Json) -> None:
        await fetch(self._pool, _LOGGED_IN, user.id, attributed(by), encode(detail).decode())

    async def recognise(self, known: Identified, by: Attribution) -> User | None:
        who = (known.issuer, known.subject, known.name, known.display_name)
        for _ in range(_TRIES):  # the second time finds what somebody else has made meanwhile
            if (row := await fetch_row(self._pool, _RECOGNISE, *who, attributed(by))) is not None:
                return _user(row)
        return None

    @staticmethod
    def _found(name: str, row: asyncpg.Record | None) -> User:
        if row is None:
            raise NotFoundError(_KIND, name)
        return _user(row)


def _user(row: asyncpg.Record) -> User:
    found = {name: row[name] for name in User.__dataclass_fields__}
    return User(**found | {"id": UUID(int=row["id"].int)})

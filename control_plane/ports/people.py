"""Accounts of people, their sessions, and who guessed how often."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from control_plane.domain.attribution import Attribution
from control_plane.domain.people.lockout import Lockout
from control_plane.domain.people.session import Session
from control_plane.domain.people.user import Identified, NewUser, User
from control_plane.ports.pages import Page
from shared.domain.codec import Json


class Users(Protocol):
    """Accounts. What is done with them is attributed and audited, without anything secret."""

    async def create(self, asked: NewUser, password_hash: str, by: Attribution) -> User:
        """Keep a new account.

        Raises:
            ConflictError: there is one of this name.
        """
        ...

    async def get(self, name: str) -> User | None:
        """The account of this name."""
        ...

    async def by_id(self, user_id: UUID) -> User | None:
        """The account, as it is now."""
        ...

    async def of_provider(self, issuer: str, subject: str) -> User | None:
        """The account of somebody whom an identity provider knows."""
        ...

    async def with_password(self, name: str) -> tuple[User, str] | None:
        """The account of this name and the hash of its password, if it has one."""
        ...

    async def list(self, *, limit: int, cursor: str | None) -> Page[User]:
        """All accounts by name."""
        ...

    async def set_password(self, name: str, password_hash: str, by: Attribution) -> User:
        """Keep another password's hash. All sessions are over.

        Raises:
            NotFoundError: there is no such account with a password.
        """
        ...

    async def rehash(self, user_id: UUID, before: str, after: str) -> None:
        """Keep the same password's hash, made anew; unless the password changed meanwhile."""
        ...

    async def set_disabled(self, name: str, by: Attribution, *, disabled: bool) -> User:
        """Let nobody log in to an account any more, or again. All sessions are over.

        Raises:
            NotFoundError: there is no such account.
        """
        ...

    async def end_sessions(self, user_id: UUID, by: Attribution) -> None:
        """All sessions so far are over."""
        ...

    async def logged_in(self, user: User, by: Attribution, detail: Json) -> None:
        """Keep that somebody has logged in."""
        ...

    async def recognise(self, known: Identified, by: Attribution) -> User | None:
        """The account of somebody whom the identity provider knows, made when they first come.

        None if their name is somebody else's here.
        """
        ...


class SessionStore(Protocol):
    """Sessions under the hashes of their secrets; may be lost, and then everybody is logged out.

    Raises `UnavailableError` while the store is away.
    """

    async def put(self, hashed: str, session: Session, ttl: float) -> None:
        """Keep a new session for so many seconds."""
        ...

    async def get(self, hashed: str) -> Session | None:
        """The session, unless it is over."""
        ...

    async def touch(self, hashed: str, session: Session, ttl: float) -> None:
        """Keep it for so many seconds from now, if it is still there: what was ended stays so."""
        ...

    async def drop(self, user_id: UUID, hashed: str) -> None:
        """End it."""
        ...

    async def of(self, user_id: UUID) -> Sequence[tuple[str, Session]]:
        """All sessions of somebody."""
        ...


class Tickets(Protocol):
    """Small documents that can be taken once, by whoever knows the name, for a few minutes.

    Raises `UnavailableError` while the store is away.
    """

    async def put(self, name: str, document: Json, ttl: float) -> None:
        """Keep a document."""
        ...

    async def take(self, name: str) -> Json | None:
        """The document, which nobody gets a second time."""
        ...


class GuessCounters(Protocol):
    """Who guessed how often. Raises `UnavailableError` while the store is away."""

    async def attempt(self, name: str, rule: Lockout) -> float:
        """Count an attempt that begins, and 0; or how many seconds to wait, and count nothing."""
        ...

    async def forget(self, name: str) -> None:
        """It was no guess: begin anew."""
        ...

    async def forgive(self, name: str) -> None:
        """The last attempt was no guess: count it no more."""
        ...

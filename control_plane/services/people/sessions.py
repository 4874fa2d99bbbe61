"""Sessions: begun at a login, looked up at every request, ended by their owner or by whoever disables the account.

The session itself is asked for each time, so that what one replica ends is over on all of them. Whose account it is, is
remembered for a second.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from control_plane.domain.access.principal import Grant, Principal, PrincipalKind
from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import NotFoundError, UnauthenticatedError, UnavailableError
from control_plane.domain.people.session import Carrier, Lifetime, Session, new_secret, secret_hash
from control_plane.domain.people.user import Identified, User
from control_plane.ports.people import SessionStore, Users
from shared.runtime.clock import Clock

REMEMBERED_SECONDS = 1.0
"""Whoever is disabled is out this much later at most, even where his sessions could not be dropped."""
MAX_REMEMBERED = 20_000
MAX_SESSIONS = 20
"""Of one person; the one that was used longest ago ends when there is another."""
MAX_SECRET = 128
_KIND = "session"


class Granting(Protocol):
    """Who knows what is granted to people and groups."""

    async def of(self, subject: str, groups: Sequence[str]) -> tuple[Grant, ...]:
        """The grants of somebody and of their groups."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that has just begun; its secret is known to nobody else."""

    secret: str
    session: Session


@dataclass(frozen=True, slots=True)
class _Known:
    """An account as the store has it, and when that was."""

    user: User | None
    at: float


class Sessions:
    """All sessions of an installation."""

    def __init__(self, store: SessionStore, users: Users, granting: Granting, clock: Clock, lifetime: Lifetime) -> None:
        self._store, self._users, self._granting = store, users, granting
        self._clock, self._lifetime = clock, lifetime
        self._known: OrderedDict[UUID, _Known] = OrderedDict()

    async def open(self, user: User, carrier: Carrier, by: Attribution, known: Identified | None = None) -> Opened:
        """Begin a session; whatever the caller had before is not used on."""
        now, secret = self._clock.now(), new_secret(carrier)
        where = {"address": by.address, "user_agent": by.user_agent}
        session = Session.begin(user, carrier, now, self._lifetime, known, **where)
        await self._make_room(user.id)
        await self._store.put(secret_hash(secret), session, self._ttl(session))
        return Opened(secret, session)

    async def find(self, secret: str, carrier: Carrier, *, use: bool = True) -> Session:
        """The session of this secret, used now; without `use` it lies idle on.

        Raises:
            UnauthenticatedError: there is none, it is over, or the secret came by another way than it was given for.
            UnavailableError: the store is away: nobody is let in by memory.
        """
        if not secret or len(secret) > MAX_SECRET or not secret.isascii():
            raise UnauthenticatedError
        hashed, now = secret_hash(secret), self._clock.now()
        session = await self._store.get(hashed)
        if session is None or session.carrier is not carrier or session.is_over(now):
            raise UnauthenticatedError
        if use and session.is_due(now):
            session = session.seen(now)
            await self._store.touch(hashed, session, self._ttl(session))
        return session

    async def authenticate(self, secret: str, carrier: Carrier, *, use: bool = True) -> Principal:
        """Who has this session, with what is granted to them now.

        Raises:
            UnauthenticatedError: nobody, or the account is disabled, or all its sessions were ended.
        """
        session = await self.find(secret, carrier, use=use)
        user = await self._account(session.user_id)
        if user is None or user.disabled_at is not None or user.generation != session.generation:
            raise UnauthenticatedError
        return Principal(
            user.subject,
            PrincipalKind.USER,
            await self._granting.of(user.subject, session.groups),
            expires_at=session.expires_at,
            groups=session.groups,
            credential=session.id,
        )

    async def of(self, user_id: UUID) -> list[Session]:
        """The sessions of somebody that are not over, the latest first."""
        now = self._clock.now()
        live = [session for _, session in await self._store.of(user_id) if not session.is_over(now)]
        return sorted(live, key=lambda each: each.created_at, reverse=True)

    async def end(self, session: Session, secret: str) -> None:
        """Log out."""
        await self._store.drop(session.user_id, secret_hash(secret))

    async def end_one(self, user_id: UUID, session_id: str) -> None:
        """End one of somebody's sessions.

        Raises:
            NotFoundError: they have no such session.
        """
        for hashed, session in await self._store.of(user_id):
            if session.id == session_id:
                return await self._store.drop(user_id, hashed)
        raise NotFoundError(_KIND, session_id)

    async def end_all(self, user: User, by: Attribution) -> None:
        """Log out everywhere: at once on all replicas. Sessions that are just beginning are over as well."""
        await self._users.end_sessions(user.id, by)
        await self.drop_all(user)

    async def end_of_provider(self, user: User, issuer: str, provider_session: str, by: Attribution) -> None:
        """End the sessions that a provider's session began; all of them where it names none."""
        if not provider_session:
            return await self.end_all(user, by)
        for hashed, session in await self._store.of(user.id):
            if (session.issuer, session.provider_session) == (issuer, provider_session):
                await self._store.drop(user.id, hashed)
        return None

    async def drop_all(self, user: User) -> None:
        """Forget all sessions of somebody, and what is remembered of them.

        While the store is away it is enough that the account's generation has moved on.
        """
        self._known.pop(user.id, None)
        try:
            for hashed, _ in await self._store.of(user.id):
                await self._store.drop(user.id, hashed)
        except UnavailableError:
            return

    async def _make_room(self, user_id: UUID) -> None:
        kept = sorted(await self._store.of(user_id), key=lambda each: each[1].seen_at)
        for hashed, _ in kept[: max(0, len(kept) - MAX_SESSIONS + 1)]:
            await self._store.drop(user_id, hashed)

    async def _account(self, user_id: UUID) -> User | None:
        known, now = self._known.get(user_id), self._clock.monotonic()
        if known is not None and now - known.at < REMEMBERED_SECONDS:
            return known.user
        user = await self._users.by_id(user_id)
        self._known[user_id] = _Known(user, now)
        self._known.move_to_end(user_id)
        if len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)
        return user

    def _ttl(self, session: Session) -> float:
        return (session.expires_at - self._clock.now()).total_seconds()

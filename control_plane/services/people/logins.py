"""How people get in with a password: counted before anything is looked at, and refused in the same words and time."""

import hashlib

from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import LockedOutError, LoginRefusedError
from control_plane.domain.people.lockout import OF_AN_ACCOUNT, OF_AN_ADDRESS
from control_plane.domain.people.session import Carrier
from control_plane.domain.people.user import User, is_user_name, subject_of
from control_plane.domain.rates import Kind, origin
from control_plane.ports.people import GuessCounters, Users
from control_plane.services.denials import Denials
from control_plane.services.people.passwords import Passwords
from control_plane.services.people.sessions import Opened, Sessions
from control_plane.services.rates import Rates

PERMISSION = "auth.login"
"""As what a refused login stands in the audit chain."""
_UNKNOWN = "user:?"
"""What was typed as a name may be a password: only names of accounts are written down."""


class Logins:
    """Lets people in. Whoever is refused leaves a count in the audit chain, whoever gets in a record."""

    def __init__(
        self,
        users: Users,
        passwords: Passwords,
        sessions: Sessions,
        *,
        guesses: GuessCounters,
        rates: Rates,
        denials: Denials,
    ) -> None:
        self._users, self._passwords, self._sessions = users, passwords, sessions
        self._guesses, self._rates, self._denials = guesses, rates, denials

    async def by_password(self, name: str, password: str, carrier: Carrier, by: Attribution) -> Opened:
        """Begin a session of whoever knows the password.

        Raises:
            LoginRefusedError: they don't, or may not log in.
            LockedOutError: too many guesses, for this account or from this address.
            RateLimitedError: too many logins.
            UnavailableError: guesses or sessions cannot be kept now; then nobody is let in.
        """
        user = await self.check(name, password, by)
        opened = await self._sessions.open(user, carrier, by)
        await self._users.logged_in(user, _as(user, by), {"session": opened.session.id, "by": "password"})
        return opened

    async def check(self, name: str, password: str, by: Attribution) -> User:
        """Whose password it is; an attempt like any other.

        Raises:
            LoginRefusedError: nobody's.
            LockedOutError: too many guesses.
        """
        account, address = f"account:{_digest(name)}", f"address:{origin(by.address)}"
        await self._rates.require(Kind.LOGIN_ADDRESSES, origin(by.address))
        await self._rates.require(Kind.LOGINS, _digest(name))
        for subject, rule in ((address, OF_AN_ADDRESS), (account, OF_AN_ACCOUNT)):
            if wait := await self._guesses.attempt(subject, rule):
                raise LockedOutError(wait)
        known = await self._users.with_password(name) if is_user_name(name) else None
        right = await self._passwords.verify(known[1] if known else None, password)
        if known is None or not right or known[0].disabled_at is not None:
            await self._denials.add(by, PERMISSION, subject_of(known[0].name) if known else _UNKNOWN, {})
            raise LoginRefusedError
        await self._guesses.forget(account)
        await self._guesses.forgive(address)
        await self._keep_up(*known, password)
        return known[0]

    async def _keep_up(self, user: User, hashed: str, password: str) -> None:
        """Hash the password anew where the parameters have been raised since."""
        if self._passwords.is_old(hashed):
            await self._users.rehash(user.id, hashed, await self._passwords.hash(password))


def _as(user: User, by: Attribution) -> Attribution:
    return Attribution(user.subject, by.address, by.request_id, by.role, by.user_agent, by.source)


def _digest(name: str) -> str:
    """A name of bounded length for whatever was typed."""
    return hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:32]

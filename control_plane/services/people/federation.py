"""How people get in by the company's identity provider: they go there with a secret of ours, and come back with its word."""

import hashlib
import hmac
import logging
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass

from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import LoginFailedError
from control_plane.domain.people.provider import Going, return_path
from control_plane.domain.people.session import Carrier
from control_plane.domain.people.user import Identified, User
from control_plane.domain.rates import Kind, origin
from control_plane.ports.identity_provider import IdentityProvider
from control_plane.ports.people import Tickets, Users
from control_plane.services.people.sessions import Opened, Sessions
from control_plane.services.rates import Rates
from shared.domain.codec import Json

AWAY_SECONDS = 600.0
"""How long somebody may take at the provider."""
CODE_SECONDS = 60.0
HOME = "/docs"
_BYTES = 32
_NO_PROVIDER = "There is no identity provider here: log in with a name and a password."
_STALE = "This login took too long, was finished already, or began in another browser: begin again."

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Departure:
    """Where a browser goes, and the secret that it must have with it when it comes back."""

    address: str
    browser: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where a browser that came back goes, and its session, unless that is for a command line."""

    address: str
    opened: Opened | None


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A program on the person's own machine that waits for the session."""

    port: int
    challenge: str


class Federation:
    """Logins by the identity provider, if there is one."""

    def __init__(
        self, provider: IdentityProvider | None, users: Users, sessions: Sessions, tickets: Tickets, rates: Rates
    ) -> None:
        self._provider, self._users, self._sessions = provider, users, sessions
        self._tickets, self._rates = tickets, rates

    @property
    def issuer(self) -> str | None:
        """Who the provider is."""
        return None if self._provider is None else self._provider.issuer

    async def depart(self, return_to: str, command_line: CommandLine | None, by: Attribution) -> Departure:
        """Send a browser to the provider.

        Raises:
            LoginFailedError: there is no provider.
            UnavailableError: it is away.
        """
        await self._rates.require(Kind.LOGIN_ADDRESSES, origin(by.address))
        going, browser = Going.new(), secrets.token_urlsafe(_BYTES)
        address = await self._asked.address(going)
        document: Json = {
            "nonce": going.nonce,
            "verifier": going.verifier,
            "browser": _digest(browser),
            "return_to": return_path(return_to, HOME),
            "port": command_line.port if command_line else None,
            "challenge": command_line.challenge if command_line else None,
        }
        await self._tickets.put(_going(going.state), document, AWAY_SECONDS)
        return Departure(address, browser)

    async def arrive(self, state: str, code: str, iss: str, browser: str, by: Attribution) -> Arrival:
        """Let in whoever comes back.

        Raises:
            LoginFailedError: it is not the browser that went, the login is over, or the provider's word is not good.
            UnavailableError: the provider is away.
        """
        await self._rates.require(Kind.LOGIN_ADDRESSES, origin(by.address))
        kept = await self._tickets.take(_going(state)) if state else None
        if kept is None or not code or not hmac.compare_digest(kept["browser"], _digest(browser)):
            raise LoginFailedError(_STALE)
        known = await self._identified(code, iss, Going(state, kept["nonce"], kept["verifier"]))
        user = await self._account(known, by)
        if kept["port"] is None:
            return Arrival(kept["return_to"], await self._open(user, known, Carrier.COOKIE, by))
        return Arrival(await self._code_for(user, known, kept), None)

    async def exchange(self, code: str, verifier: str, by: Attribution) -> Opened:
        """The session of whoever has both the code that the browser brought and the secret behind its challenge.

        Raises:
            LoginFailedError: they lack one of them, or the code was used already.
        """
        await self._rates.require(Kind.LOGIN_ADDRESSES, origin(by.address))
        kept = await self._tickets.take(_coming(code))
        if kept is None or not hmac.compare_digest(kept["challenge"], challenge_of(verifier)):
            raise LoginFailedError(_STALE)
        user = await self._users.get(kept["user"])
        if user is None or user.disabled_at is not None:
            raise LoginFailedError(_STALE)
        known = Identified(**kept["known"] | {"groups": tuple(kept["known"]["groups"])})
        return await self._open(user, known, Carrier.BEARER, by)

    async def ended_there(self, token: str, by: Attribution) -> None:
        """End the sessions of somebody who logged out at the provider.

        Raises:
            LoginFailedError: it is no word of the provider's about a logout.
        """
        ended = await self._asked.ended(token)
        user = await self._users.of_provider(self._asked.issuer, ended.subject)
        if user is not None:
            await self._sessions.end_of_provider(user, self._asked.issuer, ended.session, by)

    @property
    def _asked(self) -> IdentityProvider:
        if self._provider is None:
            raise LoginFailedError(_NO_PROVIDER)
        return self._provider

    async def _identified(self, code: str, iss: str, going: Going) -> Identified:
        try:
            return await self._asked.identify(code, iss, going)
        except LoginFailedError as error:
            _log.warning("a login by the identity provider failed", extra={"reason": str(error)})
            raise

    async def _account(self, known: Identified, by: Attribution) -> User:
        user = await self._users.recognise(known, by)
        if user is None:
            msg = f"The name {known.name!r} is taken here by somebody else's account: ask an administrator."
            raise LoginFailedError(msg)
        if user.disabled_at is not None:
            msg = "This account may not log in: ask an administrator."
            raise LoginFailedError(msg)
        return user

    async def _open(self, user: User, known: Identified, carrier: Carrier, by: Attribution) -> Opened:
        opened = await self._sessions.open(user, carrier, by, known)
        who = Attribution(user.subject, by.address, by.request_id, by.role, by.user_agent, by.source)
        detail = {"session": opened.session.id, "by": known.issuer, "groups": known.groups}
        await self._users.logged_in(user, who, detail)
        return opened

    async def _code_for(self, user: User, known: Identified, kept: Json) -> str:
        code = secrets.token_urlsafe(_BYTES)
        said = {name: getattr(known, name) for name in Identified.__dataclass_fields__}
        document: Json = {"user": user.name, "known": said, "challenge": kept["challenge"]}
        await self._tickets.put(_coming(code), document, CODE_SECONDS)
        return f"http://127.0.0.1:{kept['port']}/?code={code}"


def challenge_of(verifier: str) -> str:
    """PKCE's S256."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _going(state: str) -> str:
    return f"going:{_digest(state)}"


def _coming(code: str) -> str:
    return f"coming:{_digest(code)}"


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()

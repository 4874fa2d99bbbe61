"""Who is calling, and what they may do: tokens in, principals out.

Answers of the credential store are kept for a few seconds, those about unknown tokens too, so that neither a fleet
nor somebody who guesses asks the database each time. While the store is away, a token that was known stays known;
guesses are remembered apart, so that they push none of those out. Tokens are looked up by their hash, so that the time
it takes tells nothing about them.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from control_plane.domain.access.certificate import agrees
from control_plane.domain.access.decision import decide, may, may_somewhere
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.principal import Principal, PrincipalKind
from control_plane.domain.access.reach import EVERYWHERE, Place
from control_plane.domain.access.role import Role
from control_plane.domain.access.token import new_token, token_hash
from control_plane.domain.attribution import Attribution
from control_plane.domain.change import AgentToken
from control_plane.domain.errors import ForbiddenError, UnauthenticatedError, UnavailableError
from control_plane.ports.credentials import Credentials
from control_plane.services.bindings import FRESH_SECONDS, Bindings
from control_plane.services.identity.presented import Authenticator, Presented
from control_plane.services.identity.revoking import Revoking
from control_plane.services.identity.uses import Uses
from shared.runtime.clock import Clock

REMEMBERED_SECONDS = 2.0
"""How long an answer is used without asking again: a revoked token works at most this much longer on any replica."""
REMEMBERED_TOKENS = 20_000
MAX_TOKEN_LENGTH = 256


def require_permission(principal: Principal, permission: Permission, *places: Place) -> None:
    """Let the principal pass if it may do this to all of these places.

    Raises:
        ForbiddenError: it may not.
    """
    if permission in principal.everywhere:
        return
    for place in places or (EVERYWHERE,):
        if not may(principal, permission, place):
            raise ForbiddenError(permission, _sentence(decide(principal, permission, place).because))


def require_somewhere(principal: Principal, permission: Permission, place: Place = EVERYWHERE) -> None:
    """Let the principal pass if it may do this to something in this place; what exactly is looked at later.

    Raises:
        ForbiddenError: to nothing in it.
    """
    if not may_somewhere(principal, permission, place):
        raise ForbiddenError(permission, _sentence(decide(principal, permission, place).because))


def _sentence(because: str) -> str:
    return f"{because[0].upper()}{because[1:]}."


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the store said about a token, when, and for how many seconds it is used."""

    principal: Principal | None
    at: float
    good_for: float


class Access:
    """Authenticates and authorises; makes, lists and revokes the tokens of agents."""

    def __init__(
        self,
        credentials: Credentials,
        clock: Clock,
        bindings: Bindings | None = None,
        authenticators: Sequence[Authenticator] = (),
        revoking: Revoking | None = None,
        *,
        uses: Uses | None = None,
    ) -> None:
        self._uses = uses
        self._credentials, self._bindings = credentials, bindings
        self._authenticators, self._revoking = tuple(authenticators), revoking
        self._clock = clock
        self._known: OrderedDict[bytes, _Answer] = OrderedDict()
        self._guesses: OrderedDict[bytes, _Answer] = OrderedDict()
        self._revocations = 0

    async def authenticate(self, presented: Presented, *, anew: bool = False) -> Principal:
        """Who shows this: whoever knows tokens of this form says so; `anew`, whatever is remembered of it.

        Raises:
            UnauthenticatedError: nobody's, or it is revoked or expired.
            UnavailableError: the store is away and the token is not remembered.
        """
        principal = await self._told(presented, anew=anew)
        if principal is None or principal.is_over(self._clock.now()):
            raise UnauthenticatedError
        if presented.certificate is not None and not agrees(principal, presented.certificate.uris):
            raise UnauthenticatedError
        if self._uses is not None and not presented.token.count("."):
            self._uses.note(principal, presented.address)
        return principal

    async def _told(self, presented: Presented, *, anew: bool) -> Principal | None:
        token = presented.token
        if not token or not token.isascii():
            return None
        for each in self._authenticators:
            if each.takes(token):
                return await each.authenticate(presented)
        return None if len(token) > MAX_TOKEN_LENGTH else await self._kept(token, anew=anew)

    async def _kept(self, token: str, *, anew: bool) -> Principal | None:
        """The principal of a token that is kept by its hash."""
        hashed = token_hash(token)
        if anew:
            return await self._kept_now(hashed)
        known = self._known.get(hashed) or self._guesses.get(hashed)
        if known is None or self._clock.monotonic() - known.at >= known.good_for:
            known = await self._ask(hashed, known)
        return known.principal

    async def _kept_now(self, hashed: bytes) -> Principal | None:
        """The same, whatever is remembered. A revocation is made after what it is for: who reads it first sees both."""
        if self._revoking is not None:
            await self._revoking.load()
        return (await self._ask(hashed, None)).principal

    def authorise(self, principal: Principal, permission: Permission, *places: Place) -> None:
        """Let the principal pass if it may do this to all of these places; without any, to the whole installation.

        Raises:
            ForbiddenError: it may not.
        """
        require_permission(principal, permission, *places)

    async def create_agent_token(
        self, app_id: str, environment: str, description: str, by: Attribution
    ) -> tuple[AgentToken, str]:
        """Make a token for the agents of an app/environment; its secret is known to nobody but the caller."""
        secret = new_token(Role.AGENT)
        hashed = token_hash(secret)
        return await self._credentials.create_agent_token(app_id, environment, hashed, description, by), secret

    async def list_agent_tokens(self, app_id: str, environment: str) -> list[AgentToken]:
        """The tokens of an app/environment that work."""
        return await self._credentials.list_agent_tokens(app_id, environment)

    async def revoke_agent_token(self, app_id: str, environment: str, token_id: UUID, by: Attribution) -> None:
        """Make a token stop working: here at once, on other replicas within `REMEMBERED_SECONDS`."""
        await self._credentials.revoke_agent_token(app_id, environment, token_id, by)
        await self.end_tokens(token_id, by)

    async def end_tokens_until_now(self, credential: UUID, by: Attribution) -> None:
        """A credential has another secret: what was given for those before ends, what is given for this one does not."""
        self.forget()
        if self._revoking is not None:
            await self._revoking.revoke(f"credential:{credential}", "the secret behind it was replaced", by)

    async def end_tokens(self, credential: UUID, by: Attribution) -> None:
        """A credential has ended: nobody is known by it any more, and what was given for it ends with it."""
        self.forget()
        if self._revoking is not None:
            await self._revoking.end(f"credential:{credential}", "the credential behind it was revoked", by)

    def forget(self) -> None:
        """Ask again about everybody, also where an answer from before the revocation is still on its way."""
        self._known.clear()
        self._revocations += 1

    async def _granted(self, principal: Principal | None) -> Principal | None:
        """The principal with what bindings grant it."""
        if principal is None or self._bindings is None or principal.kind is not PrincipalKind.SERVICE_ACCOUNT:
            return principal
        more = await self._bindings.of(f"service:{principal.id}")
        return replace(principal, grants=(*principal.grants, *more)) if more else principal

    def _how_long(self, principal: Principal | None) -> float:
        """What bindings grant was known for a while already."""
        bound = principal is not None and principal.kind is PrincipalKind.SERVICE_ACCOUNT
        return REMEMBERED_SECONDS - FRESH_SECONDS if bound else REMEMBERED_SECONDS

    async def _ask(self, hashed: bytes, before: _Answer | None) -> _Answer:
        revocations = self._revocations
        try:
            principal = await self._granted(await self._credentials.find(hashed))
        except UnavailableError:
            if before is None or before.principal is None:
                raise
            return before
        answer = _Answer(principal, self._clock.monotonic(), self._how_long(principal))
        if revocations != self._revocations:
            return answer
        kept, other = (self._guesses, self._known) if principal is None else (self._known, self._guesses)
        other.pop(hashed, None)
        kept[hashed] = answer
        kept.move_to_end(hashed)
        while len(kept) > REMEMBERED_TOKENS:
            kept.popitem(last=False)
        return answer

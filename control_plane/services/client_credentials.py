"""OAuth 2.0 client credentials (RFC 6749, section 4.4): an API key is shown once, an access token after that."""

from dataclasses import dataclass, field
from datetime import timedelta

from control_plane.domain.access.principal import Principal, PrincipalKind
from control_plane.domain.errors import ConflictError, UnauthenticatedError
from control_plane.domain.rates import Kind, origin
from control_plane.services.access import Access
from control_plane.services.identity.access_tokens import AccessTokens, IssuedToken
from control_plane.services.identity.presented import Presented
from control_plane.services.rates import Rates

GRANT = "client_credentials"


@dataclass(frozen=True, slots=True)
class TokenAsked:
    """What a client asks for: its id is its key's name, its secret the key."""

    grant_type: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str = ""


@dataclass(frozen=True, slots=True)
class TokenRefused:
    """Why there is none, in the words of RFC 6749, section 5.2."""

    error: str
    description: str


UNKNOWN_CLIENT = TokenRefused(
    "invalid_client", "There is no such client, or not with this secret, or not from this address."
)
"""Which of these is not told."""


class ClientCredentials:
    """Gives out access tokens for API keys."""

    def __init__(self, access: Access, tokens: AccessTokens, rates: Rates, lifetime: timedelta) -> None:
        self._access, self._tokens, self._rates, self._lifetime = access, tokens, rates, lifetime

    async def token(self, asked: TokenAsked, presented: Presented) -> IssuedToken | TokenRefused:
        """A token with which its bearer is the key's owner, as far as its grants reach now.

        Raises:
            RateLimitedError: so many were asked for from this address, or with this key.
            UnavailableError: whose key it is cannot be told now.
        """
        await self._rates.require(Kind.LOGIN_ADDRESSES, origin(presented.address))
        if asked.grant_type != GRANT:
            return TokenRefused("unsupported_grant_type", f"The grant type has to be {GRANT}.")
        client = await self._client(asked, presented)
        if client is None:
            return UNKNOWN_CLIENT
        if client.kind is not PrincipalKind.SERVICE_ACCOUNT:
            return TokenRefused("unauthorized_client", "Only API keys are exchanged for access tokens.")
        if asked.scope:
            return TokenRefused("invalid_scope", "Scopes are not used: a token may do what its API key may.")
        await self._rates.require(Kind.LOGINS, f"client:{client.id}")
        # A replica that remembers a secret from before a rotation would give out what the rotation was to end.
        client = await self._client(asked, presented, anew=True)
        return UNKNOWN_CLIENT if client is None else self._issued(client)

    async def _client(self, asked: TokenAsked, presented: Presented, *, anew: bool = False) -> Principal | None:
        """Whose key it is, if it has this name and may be used from there."""
        if "." in asked.client_secret:  # a token is no key: it would renew itself for ever
            return None
        try:
            principal = await self._access.authenticate(presented, anew=anew)
        except UnauthenticatedError:
            return None
        return principal if principal.id == asked.client_id and principal.may_come_from(presented.address) else None

    def _issued(self, client: Principal) -> IssuedToken | TokenRefused:
        try:
            return self._tokens.issue_for(client, self._lifetime, client.credential)
        except ConflictError as error:
            return TokenRefused("unauthorized_client", error.detail)

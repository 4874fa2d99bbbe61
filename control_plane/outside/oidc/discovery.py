"""What the identity provider says about itself: where its endpoints are."""

from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

import aiohttp

from control_plane.domain.errors import LoginFailedError
from control_plane.outside.oidc.asking import ask
from shared.domain.codec import Json
from shared.runtime.clock import Clock

FRESH_SECONDS = 3_600.0
_PATH = "/.well-known/openid-configuration"
_NO_ENDPOINT = "The identity provider does not say where its {} is, or not at a safe address."


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where to ask it what. `names_itself`: it says who it is when it sends browsers back."""

    authorization: str
    token: str
    keys: str
    userinfo: str
    posts_secret: bool
    names_itself: bool

    @classmethod
    def of(cls, issuer: str, document: dict[str, Json]) -> Self:
        """Read the provider's own description.

        Raises:
            LoginFailedError: it is another's, or lacks something that is needed.
        """
        if document.get("issuer") != issuer:
            msg = "The identity provider says to be another one than TRIMTAB_OIDC_ISSUER."
            raise LoginFailedError(msg)
        if "S256" not in (document.get("code_challenge_methods_supported") or ["S256"]):
            msg = "The identity provider cannot do PKCE with S256."
            raise LoginFailedError(msg)
        methods = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        return cls(
            authorization=_endpoint(issuer, document, "authorization_endpoint"),
            token=_endpoint(issuer, document, "token_endpoint"),
            keys=_endpoint(issuer, document, "jwks_uri"),
            userinfo=_endpoint(issuer, document, "userinfo_endpoint") if "userinfo_endpoint" in document else "",
            posts_secret="client_secret_basic" not in methods,
            names_itself=document.get("authorization_response_iss_parameter_supported") is True,
        )


class Discovery:
    """Asks once, and again after an hour. While the provider is away, what it said before is used on."""

    def __init__(self, session: aiohttp.ClientSession, issuer: str, clock: Clock) -> None:
        self._session, self._issuer, self._clock = session, issuer, clock
        self._known: tuple[Endpoints, float] | None = None

    async def endpoints(self) -> Endpoints:
        """Where the provider's endpoints are.

        Raises:
            UnavailableError: it is away.
            LoginFailedError: its description is of no use.
        """
        now = self._clock.monotonic()
        if self._known is None or now - self._known[1] >= FRESH_SECONDS:
            document = await ask(self._session, self._issuer.rstrip("/") + _PATH)
            self._known = (Endpoints.of(self._issuer, document), now)
        return self._known[0]


def _endpoint(issuer: str, document: dict[str, Json], name: str) -> str:
    """An address over TLS, unless the provider itself is one without, which only this machine's can be."""
    found = document.get(name)
    parts = urlsplit(found) if isinstance(found, str) else None
    if parts is None or not parts.hostname or parts.scheme not in {"https", urlsplit(issuer).scheme}:
        raise LoginFailedError(_NO_ENDPOINT.format(name))
    return parts.geturl()

"""Tokens of an issuer that is trusted for machines (port `IssuerTokens`): a CI service, or a Kubernetes cluster."""

from collections.abc import Mapping

import aiohttp
import anyio

from control_plane.domain.access.trust import TrustedIssuer
from control_plane.domain.errors import LoginFailedError, UnavailableError
from control_plane.outside.oidc.asking import MAX_ANSWER_BYTES, PROVIDER, ask
from control_plane.outside.oidc.keys import KeySet
from control_plane.outside.oidc.tokens import verify_signed
from shared.domain.codec import Json, MalformedJsonError, decode
from shared.runtime.clock import Clock

REST_SECONDS = 5.0
"""After a question in vain, so long nobody asks again: tokens with made-up keys do not queue up behind an issuer that is away."""
_KEYS = "a file with an issuer's keys"
_DISCOVERY = "/.well-known/openid-configuration"


class TrustedTokens:
    """Verifies them. Such issuers have no page to log in at, so of what they say about themselves only the keys matter."""

    def __init__(self, session: aiohttp.ClientSession, issuer: TrustedIssuer, clock: Clock) -> None:
        self._session, self._issuer, self._clock = session, issuer, clock
        self._keys = KeySet(self._fetch, clock)
        self._in_vain = float("-inf")

    async def claims(self, token: str) -> Mapping[str, Json]:
        mine = self._issuer
        return await verify_signed(
            token, self._keys, issuer=mine.issuer, client_id=mine.audience, required=["sub", "exp"]
        )

    async def _fetch(self) -> dict[str, Json]:
        if self._clock.monotonic() - self._in_vain < REST_SECONDS:
            raise UnavailableError(PROVIDER, "did not answer a moment ago", retry_after=int(REST_SECONDS))
        try:
            return await (self._read() if self._issuer.keys_file else self._ask())
        except (UnavailableError, LoginFailedError):
            self._in_vain = self._clock.monotonic()
            raise

    async def _read(self) -> dict[str, Json]:
        """The keys in a file, which may be replaced at any time."""
        try:
            async with await anyio.open_file(self._issuer.keys_file, "rb") as file:
                document = decode(await file.read(MAX_ANSWER_BYTES))
        except (OSError, MalformedJsonError) as error:
            raise UnavailableError(_KEYS, type(error).__name__, retry_after=5) from error
        return document if isinstance(document, dict) else {}

    async def _ask(self) -> dict[str, Json]:
        return await ask(self._session, self._issuer.keys_url or await self._address())

    async def _address(self) -> str:
        """Where the issuer itself says that its keys are."""
        mine = self._issuer
        described = await ask(self._session, mine.issuer.rstrip("/") + _DISCOVERY)
        url = described.get("jwks_uri")
        if described.get("issuer") != mine.issuer or not isinstance(url, str) or not _as_safe(url, mine.issuer):
            msg = f"What the issuer {mine.name} says about itself is of no use."
            raise LoginFailedError(msg)
        return url


def _as_safe(url: str, issuer: str) -> bool:
    return url.startswith(("https://", issuer.partition("//")[0] + "//"))

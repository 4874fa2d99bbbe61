"""The public keys of an issuer (JWKS): kept, and asked for again when a token names one that is not known."""

from collections.abc import Awaitable, Callable

import anyio
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from control_plane.domain.errors import LoginFailedError
from shared.domain.codec import Json
from shared.runtime.clock import Clock

ASK_AGAIN_SECONDS = 60.0
"""Tokens with keys that nobody knows make us ask this often at most."""
FRESH_SECONDS = 3_600.0
"""Keys that the issuer has withdrawn are forgotten after this."""
MAX_KEYS = 100
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by private keys only: none, and none by a secret that both sides know."""
_FAMILIES = {"RSA": ("RS", "PS"), "EC": ("ES",), "OKP": ("EdDSA",)}


class KeySet:
    """Keys by their ids, from whatever fetches the issuer's document."""

    def __init__(self, fetch: Callable[[], Awaitable[dict[str, Json]]], clock: Clock) -> None:
        self._fetch, self._clock = fetch, clock
        self._keys: dict[str, PyJWK] = {}
        self._asked = float("-inf")
        self._asking = anyio.Lock()

    async def key(self, kid: str, algorithm: str) -> PyJWK:
        """The key of this id, for this algorithm. A token may leave the id out where the issuer has a single key.

        Raises:
            LoginFailedError: the issuer has none.
            UnavailableError: the issuer is away, and the key is not known yet.
        """
        found = self._find(kid)
        if found is None or self._clock.monotonic() - self._asked >= FRESH_SECONDS:
            await self._ask()
            found = self._find(kid)
        if found is None or not algorithm.startswith(_FAMILIES.get(found.key_type or "", ("-",))):
            msg = "The identity provider signed with a key that it does not publish."
            raise LoginFailedError(msg)
        return found

    async def renew(self) -> bool:
        """Ask again after a signature was not the key's, which may have been replaced; False: asked a moment ago."""
        before = self._asked
        await self._ask()
        return self._asked != before

    def _find(self, kid: str) -> PyJWK | None:
        if not kid and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid)

    async def _ask(self) -> None:
        async with self._asking:
            now = self._clock.monotonic()
            if now - self._asked < ASK_AGAIN_SECONDS:
                return
            document = await self._fetch()
            self._keys, self._asked = _read(document), now


def _read(document: dict[str, Json]) -> dict[str, PyJWK]:
    """The keys that can be used for signatures; others are passed over."""
    listed = document.get("keys")
    keys = {}
    for each in listed[:MAX_KEYS] if isinstance(listed, list) else ():
        if isinstance(each, dict) and each.get("use", "sig") == "sig" and each.get("kty") in _FAMILIES:
            try:
                keys[str(each.get("kid", ""))] = PyJWK.from_dict(each)
            except PyJWTError:
                continue
    return keys

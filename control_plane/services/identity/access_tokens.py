"""Access tokens of our own: JSON Web Tokens (RFC 7519), signed with Ed25519, for minutes or an hour.

Any replica verifies them without asking anybody. What it does ask, in memory, is whether they are revoked. A token that was
verified once is known by its hash until it ends, so that a fleet which calls all the time costs no signature each.
"""

import hashlib
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from control_plane.domain.access.claims import (
    AUDIENCE,
    ISSUER,
    MAX_GRANTS,
    MalformedClaimsError,
    Told,
    claims_of,
    read_claims,
    revocable_by,
)
from control_plane.domain.access.principal import Principal
from control_plane.domain.access.revocation import HEARD_WITHIN, LONGEST_TOKEN
from control_plane.domain.errors import ConflictError
from control_plane.domain.keys import Purpose
from control_plane.services.identity.issuer import MAX_TOKEN, issuer_said_by
from control_plane.services.identity.presented import Presented
from control_plane.services.identity.revoking import Revoking
from control_plane.services.keys.signing import SigningKeys
from shared.domain.codec import Json
from shared.runtime.clock import Clock

LEEWAY = 5
"""Seconds by which the clocks of two replicas may differ."""
REMEMBERED = 20_000
_A_SECOND = timedelta(seconds=1)
_ALGORITHM = "EdDSA"
_REQUIRED = ["iss", "aud", "sub", "jti", "iat", "nbf", "exp"]
_TYPE = "at+jwt"
"""RFC 9068: so that no other token signed by us is taken for one."""


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token; `expires_in` are seconds."""

    token: str = field(repr=False)
    jti: str
    expires_in: int


class AccessTokens:
    """Issues and verifies them (port `Authenticator`)."""

    def __init__(self, keys: SigningKeys, revoking: Revoking, clock: Clock) -> None:
        self._keys, self._revoking, self._clock = keys, revoking, clock
        self._known: OrderedDict[bytes, Told] = OrderedDict()

    def issue_for(self, principal: Principal, lifetime: timedelta, credential: str) -> IssuedToken:
        """A token with which its bearer is this principal; it ends with the `credential` that it was given for.

        Raises:
            ConflictError: so many grants fit into no token.
        """
        if len(principal.grants) > MAX_GRANTS:
            msg = f"{principal.id} has more than {MAX_GRANTS} grants, which no token carries: use the key itself."
            raise ConflictError(msg)
        key, jti, now = self._keys.current(Purpose.TOKENS), str(uuid4()), self._clock.now()
        seconds = int(min(lifetime, LONGEST_TOKEN).total_seconds())
        if principal.expires_at is not None:
            seconds = max(1, min(seconds, int((principal.expires_at - now).total_seconds())))
        claims = claims_of(principal, jti, credential, int(now.timestamp()), seconds)
        claims = {**claims, "iat": int(self._issued(revocable_by(principal, jti, credential), now).timestamp())}
        headers = {"kid": key.kid, "typ": _TYPE}
        return IssuedToken(jwt.encode(claims, key.private, _ALGORITHM, headers), jti, seconds)

    def _issued(self, subjects: Iterable[str], now: datetime) -> datetime:
        """When a token counts as issued: after a revocation that we know of, for whoever may have a new one."""
        until = self._revoking.until(subjects)
        return until if until is not None and now < until <= now + HEARD_WITHIN + _A_SECOND else now

    def takes(self, token: str) -> bool:
        """Whether this says of itself that it is one of ours."""
        return issuer_said_by(token) == ISSUER

    async def authenticate(self, presented: Presented) -> Principal | None:
        """Whose token this is; None if it is not good."""
        told = self.told(presented.token)
        return None if told is None else told.principal

    def told(self, token: str) -> Told | None:
        """What a token says; None if it is not good, or was revoked."""
        hashed = hashlib.sha256(token.encode()).digest()
        told = self._known.get(hashed)
        if told is None:
            told = self._known_now(hashed, self._verified(token))
        if told is None or told.principal.is_over(self._clock.now()) or not self._trusts(told.kid):
            return None
        return None if self._revoking.ends(told.revocable_by, told.issued_at) else told

    def key_set(self) -> Json:
        """The public keys of our tokens, as a JSON Web Key Set (RFC 7517)."""
        return {
            "keys": [
                {"kty": "OKP", "crv": "Ed25519", "alg": _ALGORITHM, "use": "sig", "kid": each.kid, "x": _text(each.raw)}
                for each in self._keys.public(Purpose.TOKENS)
            ]
        }

    def _trusts(self, kid: str) -> bool:
        return any(each.kid == kid for each in self._keys.public(Purpose.TOKENS))

    def _known_now(self, hashed: bytes, told: Told | None) -> Told | None:
        if told is not None:
            self._known[hashed] = told
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return told

    def _verified(self, token: str) -> Told | None:
        header = _header(token)
        key = next((each for each in self._keys.public(Purpose.TOKENS) if each.kid == header.get("kid")), None)
        if key is None or header.get("typ") != _TYPE or "crit" in header:
            return None
        try:
            claims = jwt.decode(
                token,
                Ed25519PublicKey.from_public_bytes(key.raw),
                [_ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                options={"require": _REQUIRED, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
            told = read_claims(claims, key.kid)
            return None if claims["nbf"] > self._clock.now().timestamp() + LEEWAY else told
        except (jwt.InvalidTokenError, MalformedClaimsError, TypeError):
            return None


def _header(token: str) -> dict[str, Json]:
    if len(token) > MAX_TOKEN:
        return {}
    try:
        return jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, ValueError):
        return {}


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()

"""The provider's signed word about somebody: every check that makes it good for us, and for this login."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import Any

import jwt
from jwt import PyJWK
from jwt.exceptions import InvalidSignatureError, PyJWTError

from control_plane.domain.errors import LoginFailedError
from control_plane.domain.people.provider import EndedThere
from control_plane.outside.oidc.keys import ALGORITHMS, KeySet

LEEWAY = timedelta(seconds=60)
"""How far the provider's clock may be from ours."""
MAX_LOGOUT_AGE = timedelta(minutes=10)
"""A word about a logout that comes later than this was caught on its way."""
MAX_TOKEN = 64 * 1024
_LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
_USELESS = "The identity provider's word about you is not good: {}."


async def verify(token: object, keys: KeySet, *, issuer: str, client_id: str, required: list[str]) -> dict[str, Any]:
    """The claims of a token that this issuer signed for us, because we asked for it, and that is in force.

    Raises:
        LoginFailedError: it is none; the reason holds nothing of it.
        UnavailableError: the issuer is away, and the key is not known yet.
    """
    claims = await verify_signed(token, keys, issuer=issuer, client_id=client_id, required=required)
    _require_for_us(claims, client_id)
    return claims


async def verify_signed(
    token: object, keys: KeySet, *, issuer: str, client_id: str, required: list[str]
) -> dict[str, Any]:
    """The claims of a token that this issuer signed for us, whoever asked for it, and that is in force.

    Raises:
        LoginFailedError: it is none; the reason holds nothing of it.
        UnavailableError: the issuer is away, and the key is not known yet.
    """
    if not isinstance(token, str) or len(token) > MAX_TOKEN:
        raise LoginFailedError(_USELESS.format("there is none"))
    try:
        header = jwt.get_unverified_header(token)
        kid, algorithm = header.get("kid", ""), header.get("alg")
        if algorithm not in ALGORITHMS or not isinstance(kid, str):
            raise LoginFailedError(_USELESS.format("its algorithm is not allowed"))
        try:
            claims = _decoded(token, await keys.key(kid, algorithm), (issuer, client_id), required, algorithm)
        except InvalidSignatureError:
            if not await keys.renew():
                raise
            claims = _decoded(token, await keys.key(kid, algorithm), (issuer, client_id), required, algorithm)
    except (PyJWTError, ValueError, TypeError) as error:
        raise LoginFailedError(_USELESS.format(type(error).__name__)) from error
    return claims


def _decoded(token: str, key: PyJWK, parties: tuple[str, str], required: list[str], algorithm: str) -> dict[str, Any]:
    issuer, client_id = parties
    return jwt.decode(
        token,
        key.key,
        algorithms=[algorithm],
        audience=client_id,
        issuer=issuer,
        leeway=LEEWAY,
        options={"require": ["iss", "aud", "iat", *required]},
    )


def require_of_login(claims: dict[str, Any], nonce: str, access_token: object, algorithm: str) -> None:
    """Refuse a word that was given for another login, or with another access token.

    Raises:
        LoginFailedError: it was.
    """
    said = claims.get("nonce")
    if not isinstance(said, str) or not hmac.compare_digest(said.encode(errors="replace"), nonce.encode()):
        raise LoginFailedError(_USELESS.format("it was given for another login"))
    half = claims.get("at_hash")
    if half is not None and not (isinstance(access_token, str) and half == _half_hash(access_token, algorithm)):
        raise LoginFailedError(_USELESS.format("it was given with another access token"))


async def verify_logout(token: str, keys: KeySet, now: float, *, issuer: str, client_id: str) -> EndedThere:
    """Whose sessions the provider wants to be ended.

    Raises:
        LoginFailedError: it is no such token.
    """
    claims = await verify(token, keys, issuer=issuer, client_id=client_id, required=["jti"])
    if float(claims["iat"]) < now - MAX_LOGOUT_AGE.total_seconds():
        raise LoginFailedError(_USELESS.format("it is old"))
    events, subject, session = claims.get("events"), claims.get("sub", ""), claims.get("sid", "")
    if not isinstance(events, dict) or _LOGOUT not in events or "nonce" in claims:
        raise LoginFailedError(_USELESS.format("it is no word about a logout"))
    if not isinstance(subject, str) or not isinstance(session, str) or not subject:
        raise LoginFailedError(_USELESS.format("it says not who"))
    return EndedThere(subject, session)


def algorithm_of(token: str) -> str:
    """By which algorithm a token that was verified is signed."""
    return str(jwt.get_unverified_header(token)["alg"])


def _require_for_us(claims: dict[str, Any], client_id: str) -> None:
    audience, party = claims["aud"], claims.get("azp")
    if isinstance(audience, list) and len(audience) > 1 and party is None:
        raise LoginFailedError(_USELESS.format("it is for several, and does not say for whom it was asked"))
    if party is not None and party != client_id:
        raise LoginFailedError(_USELESS.format("another one asked for it"))


def _half_hash(access_token: str, algorithm: str) -> str:
    bits = algorithm[-3:] if algorithm[-3:].isdecimal() else "512"
    digest = hashlib.new(f"sha{bits}", access_token.encode(errors="replace")).digest()
    return urlsafe_b64encode(digest[: len(digest) // 2]).decode().rstrip("=")

"""An identity provider that does what it is told: strict about what it is asked, and false where a test wants it to be."""

import hashlib
import secrets
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from jwt.algorithms import ECAlgorithm

from shared.domain.codec import decode
from shared.runtime.http import Listen, serving

CLIENT_ID, CLIENT_SECRET = "trimtab", "a secret: with / and %"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"

Falsify = Callable[[dict[str, Any]], None]


@dataclass
class Given:
    """What a code was given out for."""

    nonce: str
    challenge: str
    redirect_uri: str


@dataclass
class FakeProvider:
    """Knows one person. `falsify` alters the claims, `forge` the signed token."""

    issuer: str = ""
    person: dict[str, Any] = field(
        default_factory=lambda: {"sub": "0815", "preferred_username": "Anna", "name": "Anna A.", "groups": ["platform"]}
    )
    told: dict[str, Any] = field(default_factory=dict)
    falsify: Falsify = lambda _claims: None
    forge: Callable[[str], str] = lambda token: token
    metadata: dict[str, Any] = field(default_factory=dict)
    names_itself: str | None = None
    broken: int = 0
    keys: dict[str, EllipticCurvePrivateKey] = field(default_factory=dict)
    published: list[str] = field(default_factory=list)
    asked_for_keys: int = 0
    codes: dict[str, Given] = field(default_factory=dict)

    def rotate(self, *, publish: bool = True) -> str:
        """Sign with a new key from now on."""
        kid = secrets.token_hex(4)
        self.keys[kid] = generate_private_key(SECP256R1())
        if publish:
            self.published.append(kid)
        return kid

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        """A token signed with the latest key."""
        kid = list(self.keys)[-1]
        return jwt.encode(claims, self.keys[kid], "ES256", {"kid": kid, **header})

    def logout_token(self, **claims: Any) -> str:
        """The provider's word that somebody has logged out."""
        said = {"iss": self.issuer, "aud": CLIENT_ID, "iat": int(time.time()), "jti": secrets.token_hex(4)}  # noqa: TID251 - a provider's own clock
        return self.sign(said | {"events": {LOGOUT_EVENT: {}}} | claims)

    async def _describe(self, _request: web.Request) -> web.Response:
        if self.broken:
            return web.Response(status=self.broken)
        described = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": self.names_itself is not None,
        }
        return web.json_response(described | self.metadata)

    async def _keys(self, _request: web.Request) -> web.Response:
        self.asked_for_keys += 1
        published = [
            decode(ECAlgorithm.to_jwk(self.keys[kid].public_key())) | {"kid": kid, "use": "sig"}
            for kid in self.published
        ]
        return web.json_response({"keys": [*published, {"kty": "oct", "k": "AAAA", "kid": "oct"}, "nonsense"]})

    async def _authorize(self, request: web.Request) -> web.Response:
        asked = request.query
        assert (asked["response_type"], asked["code_challenge_method"], asked["client_id"]) == (
            "code",
            "S256",
            CLIENT_ID,
        )
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(8)
        self.codes[code] = Given(asked["nonce"], asked["code_challenge"], asked["redirect_uri"])
        answer = {"code": code, "state": asked["state"]}
        if self.names_itself is not None:
            answer["iss"] = self.names_itself
        return web.Response(status=302, headers={"Location": f"{asked['redirect_uri']}?{urlencode(answer)}"})

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        scheme, _, pair = request.headers.get("Authorization", "").partition(" ")
        client = tuple(unquote(each) for each in b64decode(pair).decode().split(":", 1)) if scheme == "Basic" else ()
        if client != (CLIENT_ID, CLIENT_SECRET):
            return web.json_response({"error": "invalid_client"}, status=401)
        given = self.codes.pop(str(form["code"]), None)
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        challenge = urlsafe_b64encode(digest).decode().rstrip("=")
        if given is None or given.challenge != challenge or given.redirect_uri != form["redirect_uri"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        return web.json_response(self._answer(given))

    def _answer(self, given: Given) -> dict[str, Any]:
        now, access_token = int(time.time()), secrets.token_urlsafe(8)  # noqa: TID251 - a provider's own clock
        half = hashlib.sha256(access_token.encode()).digest()[:16]
        claims = self.person | {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": given.nonce,
            "sid": "there-1",
            "at_hash": urlsafe_b64encode(half).decode().rstrip("="),
        }
        self.falsify(claims)
        token = self.forge(self.sign(claims))
        return {"access_token": access_token, "token_type": "Bearer", "id_token": token}

    async def _userinfo(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"].startswith("Bearer ")
        return web.json_response({"sub": self.person["sub"]} | self.told)


@asynccontextmanager
async def fake_provider() -> AsyncIterator[FakeProvider]:
    """An identity provider on this machine until the block ends."""
    provider, app = FakeProvider(), web.Application()
    provider.rotate()
    app.router.add_get("/.well-known/openid-configuration", provider._describe)
    app.router.add_get("/keys", provider._keys)
    app.router.add_get("/authorize", provider._authorize)
    app.router.add_post("/token", provider._token)
    app.router.add_get("/userinfo", provider._userinfo)
    async with serving(app, Listen("127.0.0.1", 0), grace=0.5) as listen:
        provider.issuer = f"http://{listen}"
        yield provider

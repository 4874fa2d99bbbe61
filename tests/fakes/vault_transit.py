"""A double of Vault's transit engine by its documented protocol, over a real socket: it encrypts, and knows who may ask."""

import secrets
import time
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.domain.codec import decode


@dataclass
class Token:
    """Who may ask, and for how long."""

    life: float = 0.0
    """Seconds; 0 has no end."""
    renewable: bool = False
    since: float = field(default_factory=time.monotonic)
    renewals: int = 0

    @property
    def left(self) -> float:
        return self.life - (time.monotonic() - self.since)

    @property
    def good(self) -> bool:
        return not self.life or self.left > 0


@dataclass
class TransitDouble:
    """One engine at `mount`, whose keys have versions and come into being only when somebody makes them."""

    mount: str = "transit"
    namespace: str = ""
    kind: str = "aes256-gcm96"
    keys: dict[str, list[bytes]] = field(default_factory=dict)
    oldest: int = 1
    """The oldest version that may still decrypt."""
    tokens: dict[str, Token] = field(default_factory=lambda: {"root": Token()})
    logins: dict[str, dict[str, str]] = field(default_factory=dict)
    """By mount: the body of a login that is taken."""
    lent: float = 3_600.0
    """Seconds that the token of a login lives."""
    sealed: bool = False
    forbidden: set[str] = field(default_factory=set)
    """Actions that the policy does not allow."""
    asked: list[str] = field(default_factory=list)

    def make(self, name: str) -> None:
        """A key, or its next version."""
        self.keys.setdefault(name, []).append(secrets.token_bytes(32))

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/v1/auth/{mount}/login", self._login)
        app.router.add_get("/v1/auth/token/lookup-self", self._lookup)
        app.router.add_post("/v1/auth/token/renew-self", self._renew)
        app.router.add_route("*", "/v1/{mount}/{action}/{name}", self._transit)
        return app

    async def _login(self, request: web.Request) -> web.Response:
        mount = request.match_info["mount"]
        self.asked.append(f"login {mount}")
        if self.sealed:
            return _errors(503, "Vault is sealed")
        if self.logins.get(mount) != decode(await request.read()):
            return _errors(400, "invalid role or secret ID")
        text = f"hvs.{secrets.token_hex(8)}"
        self.tokens[text] = Token(self.lent, renewable=True)
        return web.json_response({"auth": {"client_token": text, "lease_duration": self.lent, "renewable": True}})

    def _refusal(self, request: web.Request) -> web.Response | None:
        if self.sealed:
            return _errors(503, "Vault is sealed")
        if request.headers.get("X-Vault-Namespace", "") != self.namespace:
            return _errors(403, "permission denied")
        token = self.tokens.get(request.headers.get("X-Vault-Token", ""))
        if request.headers.get("X-Vault-Request") != "true" or token is None or not token.good:
            return _errors(403, "permission denied")
        return None

    async def _lookup(self, request: web.Request) -> web.Response:
        self.asked.append("lookup-self")
        if refusal := self._refusal(request):
            return refusal
        token = self.tokens[request.headers["X-Vault-Token"]]
        told = {"ttl": int(max(0.0, token.left)), "creation_ttl": int(token.life), "renewable": token.renewable}
        return web.json_response({"data": told})

    async def _renew(self, request: web.Request) -> web.Response:
        self.asked.append("renew-self")
        if refusal := self._refusal(request):
            return refusal
        token = self.tokens[request.headers["X-Vault-Token"]]
        if not token.renewable:
            return _errors(400, "lease is not renewable")
        token.since, token.renewals = time.monotonic(), token.renewals + 1
        return web.json_response({"auth": {"lease_duration": int(token.life), "renewable": True}})

    async def _transit(self, request: web.Request) -> web.Response:
        action, name = request.match_info["action"], request.match_info["name"]
        self.asked.append(action)
        if refusal := self._refusal(request):
            return refusal
        if request.match_info["mount"] != self.mount or action in self.forbidden:
            return _errors(403, "permission denied")
        versions, body = self.keys.get(name), decode(await request.read() or b"{}")
        if request.method == "GET" and action == "keys":
            told = {"name": name, "type": self.kind, "latest_version": len(versions or []), "derived": False}
            return _errors(404) if versions is None else web.json_response({"data": told})
        if versions is None:
            return _errors(400, "encryption key not found")
        answers = {"encrypt": self._encrypt, "decrypt": self._decrypt}
        return answers[action](versions, body)

    def _encrypt(self, versions: list[bytes], body: dict[str, Any]) -> web.Response:
        nonce = secrets.token_bytes(12)
        data = nonce + AESGCM(versions[-1]).encrypt(nonce, b64decode(body["plaintext"], validate=True), None)
        return web.json_response({"data": {"ciphertext": f"vault:v{len(versions)}:{b64encode(data).decode()}"}})

    def _decrypt(self, versions: list[bytes], body: dict[str, Any]) -> web.Response:
        scheme, _, rest = body["ciphertext"].partition(":v")
        number, _, text = rest.partition(":")
        if scheme != "vault" or not number.isdecimal() or not 0 < int(number) <= len(versions):
            return _errors(400, "invalid ciphertext: unable to decode")
        if int(number) < self.oldest:
            return _errors(400, "ciphertext or signature version is disallowed by policy (too old)")
        try:
            data = b64decode(text, validate=True)
            plain = AESGCM(versions[int(number) - 1]).decrypt(data[:12], data[12:], None)
        except (InvalidTag, ValueError):
            return _errors(400, "cipher: message authentication failed")
        return web.json_response({"data": {"plaintext": b64encode(plain).decode()}})


def _errors(status: int, *texts: str) -> web.Response:
    return web.json_response({"errors": list(texts)}, status=status)

"""Doubles of Vault and of AWS by their documented protocols, over real sockets: paths, headers, bodies, errors, leases."""

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from shared.domain.codec import decode


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """Serve it on a free port of this machine; gives the URL."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@dataclass
class VaultDouble:
    """KV v2 at any mount, dynamic credentials at `database/creds/…`, leases, and three ways to log in."""

    kv: dict[str, list[dict[str, Any] | None]] = field(default_factory=dict)
    """By mount and path: the versions, None for one that was deleted."""
    lease: float = 3_600.0
    max_lease: float = 1e9
    """Seconds since it was made that a lease can be prolonged to."""
    token_life: float = 3_600.0
    tokens: set[str] = field(default_factory=lambda: {"root"})
    down: int = 0
    """The status that everything is answered with."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)
    _leases: dict[str, float] = field(default_factory=dict)
    _numbers: count = field(default_factory=lambda: count(1))  # type: ignore[type-arg]

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/v1/{path:.*}", self._handle)
        return app

    async def _handle(self, request: web.Request) -> web.Response:  # noqa: PLR0911 - one for each of its paths
        path, body = request.match_info["path"], decode(await request.read() or b"{}")
        self.asked.append((request.method, path))
        if self.down:
            return _errors(self.down, "Vault is sealed")
        if request.headers.get("X-Vault-Request") != "true":
            return _errors(400, "X-Vault-Request")
        if path.startswith("auth/") and path.endswith("/login"):
            return self._login(path, body)
        if request.headers.get("X-Vault-Token") not in self.tokens:
            return _errors(403, "permission denied")
        if path == "sys/leases/renew" and request.method == "PUT":
            return self._renew(body["lease_id"])
        if path.startswith("database/creds/"):
            return self._lend(path)
        mount, _, name = path.partition("/data/")
        return self._stored(f"{mount}/{name}", request.query.get("version"))

    def _login(self, path: str, body: Any) -> web.Response:
        good = {
            "auth/approle/login": {"role_id": "role", "secret_id": "s3cret"},
            "auth/kubernetes/login": {"role": "billing", "jwt": "j.w.t"},
        }
        if good.get(path) != body:
            return _errors(400, "invalid role or secret ID")
        token = f"hvs.{next(self._numbers)}"
        self.tokens.add(token)
        auth = {"client_token": token, "lease_duration": self.token_life, "renewable": True}
        return web.json_response({"auth": auth, "data": None})

    def _stored(self, name: str, version: str | None) -> web.Response:
        versions = self.kv.get(name, [])
        number = int(version) if version else len(versions)
        if not 1 <= number <= len(versions):
            return _errors(404)
        data = versions[number - 1]
        answer = {"data": {"data": data, "metadata": {"version": number}}, "lease_duration": 0, "lease_id": ""}
        return web.json_response(answer, status=404 if data is None else 200)

    def _lend(self, path: str) -> web.Response:
        number = next(self._numbers)
        lease = f"{path}/{number}"
        self._leases[lease] = time.monotonic()
        data = {"username": f"v-user-{number}", "password": f"v-pass-{number}"}
        answer = {"lease_id": lease, "lease_duration": self.lease, "renewable": True, "data": data}
        return web.json_response(answer)

    def _renew(self, lease: str) -> web.Response:
        if lease not in self._leases or lease in self.revoked:
            return _errors(400, "lease not found")
        left = self.max_lease - (time.monotonic() - self._leases[lease])
        if left <= 0:
            return _errors(400, "lease expired")
        return web.json_response({"lease_id": lease, "lease_duration": min(self.lease, left), "renewable": True})


def _errors(status: int, *texts: str) -> web.Response:
    return web.json_response({"errors": list(texts)}, status=status)


_SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<id>[A-Z0-9]+)/\d{8}/eu-north-1/secretsmanager/aws4_request, "
    r"SignedHeaders=content-type;host;x-amz-date(?:;x-amz-security-token)?;x-amz-target, Signature=[0-9a-f]{64}"
)


@dataclass
class AwsDouble:
    """Secrets Manager, the token service's web identity, and a machine's metadata service (IMDSv2)."""

    secrets: dict[str, str] = field(default_factory=dict)
    identities: dict[str, str] = field(default_factory=lambda: {"AKIDSTATIC": ""})
    """Access key ids that are good, with the session token that each needs."""
    asked: list[str] = field(default_factory=list)
    _numbers: count = field(default_factory=lambda: count(1))  # type: ignore[type-arg]

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/", self._post)
        app.router.add_put("/latest/api/token", self._open)
        app.router.add_get("/latest/meta-data/iam/security-credentials/{role:.*}", self._role)
        return app

    async def _post(self, request: web.Request) -> web.Response:
        body = await request.read()
        if request.content_type == "application/x-www-form-urlencoded":
            return self._assume({name: texts[0] for name, texts in parse_qs(body.decode()).items()})
        self.asked.append(request.headers["X-Amz-Target"])
        signed = _SIGNED.fullmatch(request.headers.get("Authorization", ""))
        expected = self.identities.get(signed["id"]) if signed else None
        if expected is None or request.headers.get("X-Amz-Security-Token", "") != expected:
            return _aws_error("UnrecognizedClientException")
        name = decode(body)["SecretId"]
        if name not in self.secrets:
            return _aws_error("ResourceNotFoundException")
        return web.json_response({"Name": name, "SecretString": self.secrets[name], "VersionId": "1"})

    def _new(self) -> tuple[str, str, str, str]:
        number = next(self._numbers)
        self.identities[f"ASIA{number}"] = f"session-{number}"
        return f"ASIA{number}", f"secret-{number}", f"session-{number}", "2999-01-01T00:00:00Z"

    def _assume(self, form: dict[str, str]) -> web.Response:
        self.asked.append(form["Action"])
        if (form["WebIdentityToken"], form["RoleArn"]) != ("j.w.t", "arn:aws:iam::1:role/billing"):
            return web.Response(status=403, text="<ErrorResponse/>")
        key_id, secret, token, until = self._new()
        return web.Response(
            content_type="text/xml",
            text=f"<AssumeRoleWithWebIdentityResponse><Credentials><AccessKeyId>{key_id}</AccessKeyId>"
            f"<SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken>"
            f"<Expiration>{until}</Expiration></Credentials></AssumeRoleWithWebIdentityResponse>",
        )

    async def _open(self, request: web.Request) -> web.Response:
        self.asked.append("imds token")
        assert "X-aws-ec2-metadata-token-ttl-seconds" in request.headers
        return web.Response(text="imds-session")

    async def _role(self, request: web.Request) -> web.Response:
        if request.headers.get("X-aws-ec2-metadata-token") != "imds-session":
            return web.Response(status=401)
        if not request.match_info["role"]:
            return web.Response(text="billing-role")
        key_id, secret, token, until = self._new()
        return web.json_response(
            {"Code": "Success", "AccessKeyId": key_id, "SecretAccessKey": secret, "Token": token, "Expiration": until}
        )


def _aws_error(name: str) -> web.Response:
    return web.json_response({"__type": f"com.amazonaws#{name}", "message": "who you are"}, status=400)

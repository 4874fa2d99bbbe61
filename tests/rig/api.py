"""The HTTP API over a real database and the in-process rest, spoken to over a socket; every answer is checked.

Each answer is held against the OpenAPI document: its status must be described for the route, and its document must be
as described. So every test of the API is also a test of its documentation.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import Any

import aiohttp
import jsonschema_rs

from control_plane.api.app import build_app
from control_plane.api.openapi import describe
from control_plane.api.routes import ROUTES
from control_plane.api.services import Services
from control_plane.composition.adapters import open_adapters
from control_plane.composition.services import compose
from control_plane.domain.access.role import Role
from control_plane.domain.access.token import new_token
from control_plane.domain.limits import Limits
from control_plane.domain.proxies import NO_PROXIES, TrustedProxies
from control_plane.metrics import Metrics
from control_plane.ports.probes import Probe
from control_plane.settings.load import load_settings
from shared.domain.codec import decode, encode
from shared.runtime.http import Listen, serving
from tests.rig.seals import ENCRYPTION_KEY

DOCUMENT = describe(ROUTES, Limits())
NOT_ROUTED = {404, 405, 421, 431}
"""Statuses of requests that no operation of the document is about."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A checked answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body, decoded."""
        return decode(self.body)

    @property
    def pointers(self) -> list[str]:
        """Where the violations of a problem point."""
        return [each["pointer"] for each in self.document["violations"]]


@dataclass
class Api:
    """A client of the API, by default the operator's."""

    services: Services
    url: str
    session: aiohttp.ClientSession
    operator: str
    seen: set[tuple[str, str, int]] = field(default_factory=set)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        token: str | None = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request; `token` None: without credentials. `path` is below /api/v1 unless it begins with two slashes."""
        url = self.url + (path.removeprefix("/") if path.startswith("//") else f"/api/v1{path}")
        sent = {"Content-Type": "application/json"} if body is not None or raw is not None else {}
        if token is not None:
            sent["Authorization"] = f"Bearer {token or self.operator}"
        data = raw if raw is not None else None if body is None else encode(body)
        sent |= headers or {}
        async with self.session.request(method, url, data=data, headers=sent, allow_redirects=False) as response:
            answer = Answer(response.status, response.headers, await response.read())
        self.seen.add((method, response.url.raw_path, answer.status))
        require_described(method, response.url.raw_path, answer)
        return answer

    async def post(self, path: str, body: Any, **more: Any) -> Answer:
        return await self.call("POST", path, body, **more)

    async def put(self, path: str, body: Any, **more: Any) -> Answer:
        return await self.call("PUT", path, body, **more)

    async def get(self, path: str, **more: Any) -> Answer:
        return await self.call("GET", path, **more)

    async def delete(self, path: str, **more: Any) -> Answer:
        return await self.call("DELETE", path, **more)

    async def register(self, app_id: str = "shop", environment: str = "prod") -> str:
        """Register an app/environment and return a token for its agents."""
        await self.post("/apps", {"app_id": app_id})
        await self.post(f"/apps/{app_id}/environments", {"environment": environment})
        made = await self.post(f"/apps/{app_id}/environments/{environment}/agent-tokens", {})
        return str(made.document["token"])

    async def key(self, name: str, role: Role | str) -> str:
        """Make an API key of this role and return its token."""
        return str((await self.post("/api-keys", {"name": name, "role": role})).document["token"])

    async def member(self, name: str, *grants: tuple[str, str]) -> str:
        """Make a key that may do what these roles and reaches grant, and return its token."""
        token = await self.key(name, Role.MEMBER)
        for role, reach in grants:
            granted = await self.post("/role-bindings", {"subject": f"service:{name}", "role": role, "reach": reach})
            assert granted.status == 201, granted.body
        self.services.access.forget()
        return token


@asynccontextmanager
async def serving_api(
    database_url: str,
    limits: Limits | None = None,
    probes: tuple[Probe, ...] = (),
    proxies: TrustedProxies = NO_PROXIES,
    port: int = 0,
    **settings: object,
) -> AsyncIterator[Api]:
    """Serve the API over this database until the block ends; `settings` by their names."""
    operator, metrics = str(settings.get("bootstrap_token") or new_token(Role.OPERATOR)), Metrics()
    sizes = {f"max_{name}": each for name, each in asdict(limits or Limits()).items()}
    common = {
        "database_url": database_url,
        "database_pool_size": 5,
        "bootstrap_token": operator,
        "encryption_key": ENCRYPTION_KEY,
        "heartbeat_interval": 0.2,
    }
    chosen = load_settings({}, **{**common, **sizes, **settings})
    async with open_adapters(chosen, metrics) as adapters:
        services = await compose(chosen, adapters, metrics)
        services = replace(services, probes=(*services.probes, *probes), proxies=proxies)
        options = {"crowd": chosen.crowd}
        async with serving(build_app(services), Listen("127.0.0.1", port), grace=2.0, server_options=options) as listen:
            connector = aiohttp.TCPConnector(limit=0)
            async with aiohttp.ClientSession(connector=connector, auto_decompress=True) as session:
                yield Api(services, f"http://{listen}", session, operator)


def require_described(method: str, path: str, answer: Answer) -> None:
    """Hold an answer against the OpenAPI document."""
    operation = operation_of(method, path)
    if operation is None:
        assert answer.status in NOT_ROUTED or method == "OPTIONS", f"{method} {path} was answered {answer.status}"
        return
    described = operation["responses"].get(str(answer.status))
    assert described is not None, f"{operation['operationId']} does not describe {answer.status}: {answer.body!r}"
    described = _resolved(described)
    for name in described.get("headers", {}):
        assert name in answer.headers or name.startswith("Idempotency") or answer.status == 200, name
    for media_type, content in described.get("content", {}).items():
        if len(described["content"]) > 1 and not answer.headers["Content-Type"].startswith(media_type):
            continue  # one of several forms
        if media_type.endswith("json") and method != "HEAD":
            assert answer.headers["Content-Type"].startswith(media_type)
            _validator(encode(content["schema"])).validate(answer.document)


def operation_of(method: str, path: str) -> Any:
    """The operation of the document that a request is about; HEAD is described by GET."""
    for template, operations in DOCUMENT["paths"].items():
        if template.count("/") == path.count("/") and re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path):
            found = operations.get("get" if method == "HEAD" else method.lower())
            if found is not None:
                return found
    return None


def _resolved(response: Any) -> Any:
    name = response.get("$ref", "").rpartition("/")[2]
    return DOCUMENT["components"]["responses"][name] if name else response


@cache
def _validator(schema: bytes) -> Any:
    """A validator of one schema; in answers an unlisted member is an error too, but for problems, which may have more."""
    components = {
        name: each if name == "ProblemView" or "properties" not in each else each | {"additionalProperties": False}
        for name, each in DOCUMENT["components"]["schemas"].items()
    }
    return jsonschema_rs.Draft202012Validator(decode(schema) | {"components": {"schemas": components}})

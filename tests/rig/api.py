"""The HTTP API over a real database and the in-process rest, spoken to over a socket; every answer is checked.

Each answer is held against the OpenAPI document: its status must be described for the route, and its document must be
as described. So every test of the API is also a test of its documentation.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import aiohttp
import jsonschema_rs

from control_plane.api.app import build_app
from control_plane.api.openapi import describe
from control_plane.api.routes import ROUTES
from control_plane.api.services import Services
from control_plane.domain.attribution import Attribution
from control_plane.domain.gates.outside import Prefixes, Sources
from control_plane.domain.limits import Limits
from control_plane.domain.principal import Role, new_token, token_hash
from control_plane.domain.proxies import NO_PROXIES, TrustedProxies
from control_plane.embedded.evidence import MemoryEvidence
from control_plane.embedded.memory import MemoryCache, MemoryNotices, MemoryPresence, MemoryReadCounters
from control_plane.metrics import Metrics
from control_plane.outside.client import open_client
from control_plane.outside.prometheus import Prometheus
from control_plane.outside.webhooks import HttpWebhooks
from control_plane.ports.probes import Probe
from control_plane.postgres.audit import PostgresAuditLog
from control_plane.postgres.changes import PostgresChanges
from control_plane.postgres.configs import PostgresConfigs
from control_plane.postgres.credentials import PostgresCredentials
from control_plane.postgres.history import PostgresHistory
from control_plane.postgres.named_snapshots import PostgresNamedSnapshots
from control_plane.postgres.policies import PostgresPolicies
from control_plane.postgres.pool import open_pool
from control_plane.postgres.probe import PostgresProbe
from control_plane.postgres.proposals import PostgresProposals
from control_plane.postgres.reads import Reads
from control_plane.postgres.receipts import PostgresReceipts
from control_plane.postgres.registry import PostgresRegistry
from control_plane.postgres.rollouts import PostgresRollouts
from control_plane.postgres.rules import PostgresRules
from control_plane.postgres.schemas import PostgresSchemas
from control_plane.postgres.search import PostgresSearch
from control_plane.postgres.templates import PostgresTemplates
from control_plane.postgres.transfer import PostgresTransfer
from control_plane.services.access import Access
from control_plane.services.audit import Audit
from control_plane.services.checks import Checks
from control_plane.services.denials import Denials
from control_plane.services.feed import Feed
from control_plane.services.fleet import Fleet
from control_plane.services.gates.concerned import Concerned
from control_plane.services.gates.evidences import Evidences
from control_plane.services.gates.judges import Judges
from control_plane.services.hindsight import Hindsight
from control_plane.services.preview import Previews
from control_plane.services.proposals import Proposals
from control_plane.services.publishing import Publishing
from control_plane.services.retirement import Retirement
from control_plane.services.reveals import Reveals
from control_plane.services.rollouts.acting import Acting
from control_plane.services.rollouts.moving import Moving
from control_plane.services.rollouts.previewing import Previewing
from control_plane.services.rollouts.showing import Showing
from control_plane.services.rules import Rules
from control_plane.services.schemas import SchemaKeeping
from control_plane.services.sealing import Sealer
from control_plane.services.snapshots import Snapshots
from control_plane.services.transfer import Transfers
from control_plane.services.usage import Usage
from shared.domain.codec import decode, encode
from shared.runtime.clock import SystemClock
from shared.runtime.http import Listen, serving

DOCUMENT = describe(ROUTES, Limits())
NOT_ROUTED = {404, 405, 431}
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
        async with self.session.request(method, url, data=data, headers=sent | dict(headers or {})) as response:
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

    async def key(self, name: str, role: Role) -> str:
        """Make an API key of this role and return its token."""
        return str((await self.post("/api-keys", {"name": name, "role": role})).document["token"])


@asynccontextmanager
async def serving_api(
    database_url: str,
    limits: Limits | None = None,
    probes: tuple[Probe, ...] = (),
    sealer: Sealer | None = None,
    proxies: TrustedProxies = NO_PROXIES,
) -> AsyncIterator[Api]:
    """Serve the API over this database until the block ends."""
    async with open_pool(database_url, 5) as pool, open_client() as outside:
        metrics, clock, changes = Metrics(), SystemClock(), PostgresChanges(pool)
        audit = Audit(PostgresAuditLog(pool))
        feed, configs = Feed(changes, metrics, clock), PostgresConfigs(pool)
        await feed.load()
        credentials, named = PostgresCredentials(pool), PostgresNamedSnapshots(pool)
        operator = new_token(Role.OPERATOR)
        await credentials.ensure_operator(token_hash(operator), Attribution("test"))
        book = PostgresRules(pool)
        rules = Rules(book)
        presence, evidence = MemoryPresence(clock), MemoryEvidence()
        registry, fleet = PostgresRegistry(pool), Fleet(presence, changes, clock)
        snapshots = Snapshots(configs, feed, MemoryCache(clock), metrics, clock)
        checks = Checks(book)
        publishing = Publishing(
            changes,
            rules=rules,
            checks=checks,
            feed=feed,
            notices=MemoryNotices(),
            metrics=metrics,
            limits=limits or Limits(),
        )
        judges = Judges.over(
            presence, evidence, Prometheus(outside, Sources()), HttpWebhooks(outside, Prefixes()), clock
        )
        store = PostgresRollouts(pool)
        acting = Acting(store, Moving(book, publishing), judges, clock)
        showing = Showing(store, book, fleet, evidence, clock)
        previews = Previews(changes, rules=rules, checks=checks, fleet=fleet, publishing=publishing)
        services = Services(
            publishing=publishing,
            proposals=Proposals(PostgresProposals(pool), publishing, rules, limits or Limits(), clock),
            rollouts=store,
            acting=acting,
            showing=showing,
            previewing=Previewing(
                acting, showing, previews, snapshots=snapshots, registry=registry, fleet=fleet, clock=clock
            ),
            policies=PostgresPolicies(pool),
            templates=PostgresTemplates(pool),
            previews=previews,
            rules=rules,
            schemas=SchemaKeeping(PostgresSchemas(pool), book, rules),
            changes=changes,
            configs=configs,
            registry=registry,
            receipts=PostgresReceipts(pool),
            access=Access(credentials, clock),
            audit=audit,
            denials=Denials(audit, clock),
            reveals=Reveals(audit, clock),
            proxies=proxies,
            snapshots=snapshots,
            fleet=fleet,
            evidences=Evidences(evidence, MemoryNotices(), clock, Concerned(store, clock)),
            judges=judges,
            searching=PostgresSearch(Reads(pool)),
            usage=Usage(MemoryReadCounters(), fleet, snapshots, clock),
            retirement=Retirement(registry, fleet, feed, MemoryNotices(), metrics),
            named_snapshots=named,
            transfers=Transfers(PostgresTransfer(pool), registry, limits or Limits(), sealer),
            hindsight=Hindsight.over(
                PostgresHistory(pool),
                PostgresHistory(pool),
                changes=changes,
                configs=configs,
                registry=registry,
                named=named,
                limits=limits or Limits(),
            ),
            feed=feed,
            probes=(PostgresProbe(pool), *probes),
            metrics=metrics,
            limits=limits or Limits(),
            clock=clock,
            heartbeat_interval=0.2,
        )
        async with serving(build_app(services), Listen("127.0.0.1", 0), grace=2.0) as listen:
            connector = aiohttp.TCPConnector(limit=0)
            async with aiohttp.ClientSession(connector=connector, auto_decompress=True) as session:
                yield Api(services, f"http://{listen}", session, operator)


def require_described(method: str, path: str, answer: Answer) -> None:
    """Hold an answer against the OpenAPI document."""
    operation = operation_of(method, path)
    if operation is None:
        assert answer.status in NOT_ROUTED, f"{method} {path} was answered {answer.status}"
        return
    described = operation["responses"].get(str(answer.status))
    assert described is not None, f"{operation['operationId']} does not describe {answer.status}: {answer.body!r}"
    described = _resolved(described)
    for name in described.get("headers", {}):
        assert name in answer.headers or name.startswith("Idempotency") or answer.status == 200, name
    for media_type, content in described.get("content", {}).items():
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

"""The composition root: open resources, build services, start workers, serve; then all of it in reverse.

The mode of a process is the choice of three adapters, made in `_lossy` (cache, notices and presence: Redis or in
process) and `_broker` (RabbitMQ or none). Everything else is the same in `trimtab dev` and in production.
"""

import logging
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio

from control_plane.api.app import build_app
from control_plane.api.services import Services
from control_plane.domain.errors import UnavailableError
from control_plane.domain.principal import token_hash
from control_plane.embedded.evidence import MemoryEvidence
from control_plane.embedded.memory import MemoryCache, MemoryNotices, MemoryPresence, MemoryReadCounters
from control_plane.metrics import Metrics
from control_plane.outside.client import open_client
from control_plane.outside.prometheus import Prometheus
from control_plane.outside.webhooks import HttpWebhooks
from control_plane.ports.evidence import Evidence
from control_plane.ports.lossy import Cache, Notices, Presence, ReadCounters
from control_plane.ports.probes import Probe
from control_plane.postgres.audit import PostgresAuditLog
from control_plane.postgres.changes import PostgresChanges
from control_plane.postgres.configs import PostgresConfigs
from control_plane.postgres.credentials import PostgresCredentials
from control_plane.postgres.history import PostgresHistory
from control_plane.postgres.leadership import PostgresLeadership
from control_plane.postgres.migrate import migrate, require_current
from control_plane.postgres.named_snapshots import PostgresNamedSnapshots
from control_plane.postgres.policies import PostgresPolicies
from control_plane.postgres.pool import open_pool
from control_plane.postgres.probe import PostgresProbe, ReplicaProbe
from control_plane.postgres.proposals import PostgresProposals
from control_plane.postgres.reads import open_reads
from control_plane.postgres.receipts import PostgresReceipts
from control_plane.postgres.registry import PostgresRegistry
from control_plane.postgres.rollouts import PostgresRollouts
from control_plane.postgres.rules import PostgresRules
from control_plane.postgres.schemas import PostgresSchemas
from control_plane.postgres.search import PostgresSearch
from control_plane.postgres.templates import PostgresTemplates
from control_plane.postgres.transfer import PostgresTransfer
from control_plane.rabbitmq.probe import RabbitProbe
from control_plane.rabbitmq.publisher import RabbitPublisher, open_publisher
from control_plane.redis_cache.cache import RedisCache
from control_plane.redis_cache.client import open_redis
from control_plane.redis_cache.evidence import RedisEvidence
from control_plane.redis_cache.notices import ALARMS, RedisNotices
from control_plane.redis_cache.presence import RedisPresence
from control_plane.redis_cache.probe import RedisProbe
from control_plane.redis_cache.read_counters import RedisReadCounters
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
from control_plane.settings import Settings
from control_plane.starting import StartError, clear_errors, in_event_loop, ourselves
from control_plane.workers.follower import Follower
from control_plane.workers.heartbeats import Heartbeats
from control_plane.workers.housekeeping import Housekeeping
from control_plane.workers.relay import Relay
from control_plane.workers.rollouts import Rollouts
from control_plane.workers.scheduler import Scheduler
from shared.runtime.clock import SystemClock
from shared.runtime.http import Listen, serving
from shared.runtime.lifecycle import Worker, running, wait_for_stop_signal
from shared.runtime.retry import Backoff

_log = logging.getLogger(__name__)


def run(settings: Settings) -> None:
    """Run a replica until it is told to stop.

    Raises:
        StartError: it cannot start.
    """
    with clear_errors():
        in_event_loop(run_control_plane, settings)


async def run_control_plane(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    async with running_control_plane(settings) as listen:
        _log.info("the control plane is serving", extra={"address": str(listen)})
        await wait_for_stop_signal()
        _log.info("stopping")


@asynccontextmanager
async def running_control_plane(settings: Settings) -> AsyncIterator[Listen]:
    """A replica that serves until the block ends. Enter and leave it in one task."""
    metrics, clock = Metrics(), SystemClock()
    await _prepare_schema(settings)
    async with (
        open_pool(settings.database_url, settings.database_pool_size) as pool,
        open_reads(pool, settings.database_replica_url, settings.database_pool_size, metrics) as reads,
        _lossy(settings, metrics) as lossy,
        _broker(settings) as publisher,
        open_client() as outside,
    ):
        changes, configs, registry = (
            PostgresChanges(pool, reads),
            PostgresConfigs(pool, reads),
            PostgresRegistry(pool, reads),
        )
        credentials, named = PostgresCredentials(pool), PostgresNamedSnapshots(pool)
        if settings.bootstrap_token:
            await credentials.ensure_operator(token_hash(settings.bootstrap_token), ourselves())
        audit = Audit(PostgresAuditLog(pool, reads))
        feed = Feed(changes, metrics, clock)
        await feed.load()
        snapshots = Snapshots(configs, feed, lossy.cache, metrics, clock)
        await snapshots.warm(await registry.environments(settings.warm_limit))
        book = PostgresRules(pool)
        rules = Rules(book)
        fleet = Fleet(lossy.presence, changes, clock)
        checks = Checks(book)
        publishing = Publishing(
            changes,
            rules=rules,
            checks=checks,
            feed=feed,
            notices=lossy.notices,
            metrics=metrics,
            limits=settings.limits,
        )
        judges = Judges.over(
            lossy.presence,
            lossy.evidence,
            Prometheus(outside, settings.sources),
            HttpWebhooks(outside, settings.webhooks),
            clock,
        )
        store = PostgresRollouts(pool)
        acting = Acting(store, Moving(book, publishing), judges, clock)
        showing = Showing(store, book, fleet, lossy.evidence, clock)
        previews = Previews(changes, rules=rules, checks=checks, fleet=fleet, publishing=publishing)
        services = Services(
            publishing=publishing,
            proposals=Proposals(PostgresProposals(pool), publishing, rules, settings.limits, clock),
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
            snapshots=snapshots,
            fleet=fleet,
            evidences=Evidences(lossy.evidence, lossy.alarms, clock, Concerned(store, clock)),
            judges=judges,
            searching=PostgresSearch(reads),
            usage=Usage(lossy.read_counters, fleet, snapshots, clock),
            retirement=Retirement(registry, fleet, feed, lossy.notices, metrics),
            named_snapshots=named,
            transfers=Transfers(PostgresTransfer(pool, reads), registry, settings.limits, _sealer(settings)),
            hindsight=Hindsight.over(
                PostgresHistory(pool, reads),
                PostgresHistory(pool),
                changes=changes,
                configs=configs,
                registry=registry,
                named=named,
                limits=settings.limits,
            ),
            feed=feed,
            probes=[
                PostgresProbe(pool),
                *([ReplicaProbe(reads)] if settings.database_replica_url else []),
                *lossy.probes,
                *([RabbitProbe(publisher)] if publisher else []),
            ],
            metrics=metrics,
            limits=settings.limits,
            clock=clock,
            heartbeat_interval=settings.heartbeat_interval,
            proxies=settings.proxies,
        )
        workers = _workers(settings, services, lossy, publisher)
        listen = Listen.parse(settings.listen)
        async with running(*workers), serving(build_app(services), listen, grace=settings.shutdown_grace) as served:
            yield served


def _sealer(settings: Settings) -> Sealer | None:
    return Sealer(b64decode(settings.seal_key)) if settings.seal_key else None


def _workers(settings: Settings, services: Services, lossy: "Lossy", publisher: RabbitPublisher | None) -> list[Worker]:
    interval, dsn = settings.heartbeat_interval, settings.database_url
    workers: list[Worker] = [
        Follower(services.feed, lossy.notices).run,
        Heartbeats(services.feed, interval).run,
        services.denials.run,
        services.reveals.run,
        Scheduler(PostgresLeadership(dsn, "scheduler"), services.proposals.due(ourselves())).run,
        Rollouts(
            PostgresLeadership(dsn, "rollouts"),
            services.acting.driving(services.evidences, ourselves()),
            services.evidences.alarms,
        ).run,
        Housekeeping(PostgresLeadership(dsn, "housekeeping", publishes=publisher is not None)).run,
    ]
    if publisher is not None:
        leadership = PostgresLeadership(dsn, "relay")
        relay = Relay(
            leadership, publisher, lossy.notices, services.feed, services.registry, services.metrics, interval
        )
        workers.append(relay.run)
    return workers


@dataclass(frozen=True, slots=True)
class Lossy:
    """What may be lost: losing it costs speed, never correctness."""

    cache: Cache
    notices: Notices
    alarms: Notices
    presence: Presence
    evidence: Evidence
    read_counters: ReadCounters
    probes: list[Probe]


@asynccontextmanager
async def _lossy(settings: Settings, metrics: Metrics) -> AsyncIterator[Lossy]:
    if not settings.redis_url:
        notices, alarms = MemoryNotices(), MemoryNotices()
        yield Lossy(MemoryCache(), notices, alarms, MemoryPresence(), MemoryEvidence(), MemoryReadCounters(), [])
        return
    async with open_redis(settings.redis_url) as client:
        yield Lossy(
            RedisCache(client, metrics),
            RedisNotices(client),
            RedisNotices(client, ALARMS),
            RedisPresence(client),
            RedisEvidence(client),
            RedisReadCounters(client),
            [RedisProbe(client)],
        )


@asynccontextmanager
async def _broker(settings: Settings) -> AsyncIterator[RabbitPublisher | None]:
    if not settings.amqp_url:
        yield None
        return
    async with open_publisher(settings.amqp_url) as publisher:
        yield publisher


async def _prepare_schema(settings: Settings) -> None:
    """Wait for PostgreSQL, and see to it that its schema is ours."""
    step = migrate if settings.migrate else require_current
    backoff = Backoff(base=0.2, cap=2.0)
    away = "no answer in time"
    with anyio.move_on_after(settings.database_wait):
        while True:
            try:
                await step(settings.database_url)
            except UnavailableError as error:
                away = str(error)
                _log.warning("waiting for PostgreSQL", extra={"reason": away})
            else:
                return
            await anyio.sleep(backoff.next())
    msg = f"PostgreSQL does not answer ({away}): check TRIMTAB_DATABASE_URL"
    raise StartError(msg)

"""What a replica stands on, opened. The mode is a choice of two: Redis or this process, RabbitMQ or none."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import asyncpg

from control_plane.composition.key_ring import open_key_ring
from control_plane.embedded.evidence import MemoryEvidence
from control_plane.embedded.memory import MemoryCache, MemoryNotices, MemoryPresence, MemoryReadCounters
from control_plane.embedded.people import MemoryGuesses, MemorySessions, MemoryTickets
from control_plane.embedded.rates import MemoryRateCounters
from control_plane.key_encryption.ring import KeyRing
from control_plane.metrics import Metrics
from control_plane.outside.client import open_client
from control_plane.ports.evidence import Evidence
from control_plane.ports.lossy import Cache, Notices, Presence, ReadCounters
from control_plane.ports.people import GuessCounters, SessionStore, Tickets
from control_plane.ports.probes import Probe
from control_plane.ports.rates import RateCounters
from control_plane.postgres.pool import open_pool
from control_plane.postgres.reads import Reads, open_reads
from control_plane.postgres.sealing.data_keys import DataKeys
from control_plane.rabbitmq.publisher import RabbitPublisher, open_publisher
from control_plane.redis_cache.cache import RedisCache
from control_plane.redis_cache.client import open_redis
from control_plane.redis_cache.evidence import RedisEvidence
from control_plane.redis_cache.guesses import RedisGuesses
from control_plane.redis_cache.marks import Marks
from control_plane.redis_cache.notices import ALARMS, RedisNotices
from control_plane.redis_cache.presence import RedisPresence
from control_plane.redis_cache.probe import RedisProbe
from control_plane.redis_cache.rates import RedisRateCounters
from control_plane.redis_cache.read_counters import RedisReadCounters
from control_plane.redis_cache.sessions import RedisSessions
from control_plane.redis_cache.tickets import RedisTickets
from control_plane.settings.model import Settings
from shared.runtime.clock import SystemClock


@dataclass(frozen=True, slots=True)
class Lossy:
    """What may be lost: losing it costs speed, never correctness."""

    cache: Cache
    notices: Notices
    alarms: Notices
    presence: Presence
    evidence: Evidence
    read_counters: ReadCounters
    rate_counters: RateCounters
    sessions: SessionStore
    tickets: Tickets
    guesses: GuessCounters
    probes: list[Probe]


@asynccontextmanager
async def _open_lossy(settings: Settings, metrics: Metrics, marks: Marks) -> AsyncIterator[Lossy]:
    """Redis, if the settings name one; else this process."""
    if not settings.redis_url:
        notices, alarms = MemoryNotices(), MemoryNotices()
        yield Lossy(
            MemoryCache(),
            notices,
            alarms,
            MemoryPresence(),
            MemoryEvidence(),
            MemoryReadCounters(),
            MemoryRateCounters(),
            MemorySessions(),
            MemoryTickets(),
            MemoryGuesses(),
            [],
        )
        return
    async with open_redis(settings.redis_url) as client:
        yield Lossy(
            RedisCache(client, metrics),
            RedisNotices(client),
            RedisNotices(client, ALARMS),
            RedisPresence(client, marks),
            RedisEvidence(client),
            RedisReadCounters(client),
            RedisRateCounters(client),
            RedisSessions(client, marks),
            RedisTickets(client, marks),
            RedisGuesses(client),
            [RedisProbe(client)],
        )


@asynccontextmanager
async def _open_broker(settings: Settings) -> AsyncIterator[RabbitPublisher | None]:
    """RabbitMQ, if the settings name one."""
    if not settings.amqp_url:
        yield None
        return
    async with open_publisher(settings.amqp_url) as publisher:
        yield publisher


@dataclass(frozen=True, slots=True)
class Adapters:
    """Everything outside of this process that a replica works with."""

    pool: asyncpg.Pool
    reads: Reads
    lossy: Lossy
    publisher: RabbitPublisher | None
    outside: aiohttp.ClientSession
    encryption: KeyRing


@asynccontextmanager
async def open_adapters(settings: Settings, metrics: Metrics) -> AsyncIterator[Adapters]:
    """What the settings name, until the block ends.

    Raises:
        StartError: there is no key-encryption key.
        UnavailableError: somebody who has one is away.
    """
    async with (
        open_key_ring(settings) as encryption,
        open_pool(settings.database_url, settings.database_pool_size) as pool,
        open_reads(pool, settings.database_replica_url, settings.database_pool_size, metrics) as reads,
        _open_lossy(settings, metrics, Marks(DataKeys(pool, encryption, SystemClock()).digests)) as lossy,
        _open_broker(settings) as publisher,
        open_client(
            reachable=settings.reachable.naming((*settings.providers, *settings.issuer_urls), private=True)
        ) as outside,
    ):
        yield Adapters(pool, reads, lossy, publisher, outside, encryption)

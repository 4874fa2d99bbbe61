"""The connection to Redis, and how its failures are told."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from control_plane.domain.errors import UnavailableError
from shared.runtime.clock import Clock, SystemClock

_log = logging.getLogger(__name__)

FAILURES = (RedisError, OSError, TimeoutError)
"""What the driver raises when Redis is away, or is not as it should be."""

PREFIX = "trimtab:"
"""What every name of ours in Redis begins with."""

_TIMEOUT = 0.5
"""Seconds for connecting and for an answer. Everything here can be done without, so nobody waits long."""

_CONNECTIONS = 10

_TURN = 1.0
"""Seconds that a call waits for a free connection; more than that is a flood, and better refused."""

_SPARE = 1.0
"""Seconds for which a Redis that failed is not asked again by those who can do without."""


class _TlsConnection(redis.asyncio.SSLConnection):
    """Reads its certificates whenever it connects: they may be other ones than when the pool made it."""

    async def connect(self) -> None:
        """Connect, if it is not."""
        if not self.is_connected:
            self.ssl_context.context = None
        await super().connect()  # type: ignore[no-untyped-call]  # of the library


@asynccontextmanager
async def open_redis(url: str) -> AsyncIterator[redis.asyncio.Redis]:
    """A client with a small pool until the block ends. Redis need not be there yet."""
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        url,
        max_connections=_CONNECTIONS,
        timeout=_TURN,
        socket_timeout=_TIMEOUT,
        socket_connect_timeout=_TIMEOUT,
        retry=Retry(NoBackoff(), 1),  # once, for a pooled connection that Redis' restart has cut
    )
    if issubclass(pool.connection_class, redis.asyncio.SSLConnection):
        pool.connection_class = _TlsConnection
    client = redis.asyncio.Redis.from_pool(pool)
    try:
        yield client
    finally:
        await client.aclose()


@contextmanager
def translated() -> Iterator[None]:
    """Say that Redis is away instead of how its driver says it."""
    try:
        yield
    except FAILURES as error:
        dependency = "redis"
        raise UnavailableError(dependency, type(error).__name__) from error


class Outage:
    """Remembers that Redis is away: told once when it goes and once when it is back, and not asked meanwhile."""

    def __init__(self, what: str, clock: Clock | None = None) -> None:
        self._what, self._clock = what, clock or SystemClock()
        self._since: float | None = None
        self._spare_until = float("-inf")

    @property
    def sparing(self) -> bool:
        """Whether it failed a moment ago."""
        return self._clock.monotonic() < self._spare_until

    def failed(self, error: BaseException) -> None:
        """It did not work."""
        now = self._clock.monotonic()
        self._spare_until = now + _SPARE
        if self._since is None:
            self._since = now
            _log.warning("redis is away: %s", self._what, extra={"error": type(error).__name__})

    def worked(self) -> None:
        """It did work."""
        if self._since is not None:
            away = round(self._clock.monotonic() - self._since, 1)
            self._since, self._spare_until = None, float("-inf")
            _log.info("redis is back: %s", self._what, extra={"seconds": away})

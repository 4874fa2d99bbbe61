"""Compiled snapshots that replicas share."""

from redis.asyncio import Redis

from control_plane.metrics import Metrics
from control_plane.redis_cache.client import FAILURES, Outage


class RedisCache:
    """Bytes with an expiry. What fails is a miss."""

    def __init__(self, client: Redis, metrics: Metrics) -> None:
        self._client = client
        self._errors = metrics.dependency_errors.labels("redis")
        self._outage = Outage("snapshots are compiled by each replica for itself")

    async def get(self, key: str) -> bytes | None:
        if self._outage.sparing:
            return None
        try:
            value = await self._client.get(key)
        except FAILURES as error:
            self._failed(error)
            return None
        self._outage.worked()
        return value if isinstance(value, bytes) else None

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        if self._outage.sparing:
            return
        try:
            await self._client.set(key, value, px=max(1, int(ttl * 1000)))
        except FAILURES as error:
            self._failed(error)
        else:
            self._outage.worked()

    def _failed(self, error: BaseException) -> None:
        self._errors.inc()
        self._outage.failed(error)

"""Tells readiness whether Redis is there. Without it everything is slower and nothing is wrong: not required."""

from redis.asyncio import Redis

from control_plane.ports.probes import DependencyState
from control_plane.redis_cache.client import FAILURES


class RedisProbe:
    """Asks by PING."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def probe(self) -> DependencyState:
        try:
            await self._client.ping()
        except FAILURES as error:
            return DependencyState("redis", ok=False, required=False, detail=type(error).__name__)
        return DependencyState("redis", ok=True, required=False)

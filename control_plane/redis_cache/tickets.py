"""Small documents that can be taken once, on whichever replica."""

from math import ceil

from redis.asyncio import Redis

from control_plane.redis_cache.client import PREFIX, translated
from shared.domain.codec import Json, decode, encode

_KEYS = f"{PREFIX}ticket:"


class RedisTickets:
    """One key each, gone when it was taken."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def put(self, name: str, document: Json, ttl: float) -> None:
        with translated():
            await self._client.set(_KEYS + name, encode(document), px=max(1, ceil(ttl * 1000)))

    async def take(self, name: str) -> Json | None:
        with translated():
            packed = await self._client.getdel(_KEYS + name)
        return None if packed is None else decode(packed)

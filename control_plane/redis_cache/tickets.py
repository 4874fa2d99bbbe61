"""Small documents that can be taken once, on whichever replica."""

from math import ceil

from redis.asyncio import Redis

from control_plane.redis_cache.client import PREFIX, translated
from control_plane.redis_cache.marks import Marks
from shared.domain.codec import Json, decode, encode

_KEYS = f"{PREFIX}ticket:"


class RedisTickets:
    """One key each, gone when it was taken."""

    def __init__(self, client: Redis, marks: Marks) -> None:
        self._client, self._marks = client, marks

    async def put(self, name: str, document: Json, ttl: float) -> None:
        packed = await self._marks.marked(_KEYS + name, encode(document))
        with translated():
            await self._client.set(_KEYS + name, packed, px=max(1, ceil(ttl * 1000)))

    async def take(self, name: str) -> Json | None:
        with translated():
            kept = await self._client.getdel(_KEYS + name)
        packed = await self._marks.content(_KEYS + name, kept)
        return None if packed is None else decode(packed)

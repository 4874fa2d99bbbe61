"""How often agents' applications read which config: one hash for each app/environment, added up over the whole fleet."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import cast

from redis.asyncio import Redis

from control_plane.ports.lossy import Counted, KeyReads
from control_plane.redis_cache.client import PREFIX, translated

_KEYS = f"{PREFIX}reads:"
_SINCE, _BULK, _BULK_AT = b"since", b"bulk", b"bulk-at"
_COUNT, _LAST = b"n:", b"t:"
"""Before a key: how often, and when at last (in seconds)."""

_ADD = """
local name, now, bulk = KEYS[1], ARGV[1], tonumber(ARGV[3])
redis.call('HSETNX', name, 'since', now)
if bulk > 0 then
    redis.call('HINCRBY', name, 'bulk', bulk)
    redis.call('HSET', name, 'bulk-at', now)
end
for i = 4, #ARGV, 2 do
    redis.call('HINCRBY', name, 'n:' .. ARGV[i], ARGV[i + 1])
    redis.call('HSET', name, 't:' .. ARGV[i], now)
end
redis.call('EXPIRE', name, ARGV[2])
"""

KEPT_SECONDS = 400 * 86_400
"""Counts that nobody adds to are forgotten after this."""


class RedisReadCounters:
    """Counts and moments of the last reads. All of an app/environment is in one hash, so it is lost as a whole or not."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def add(self, app_id: str, environment: str, keys: Mapping[str, int], bulk: int, at: datetime) -> None:
        counts = [each for key, reads in keys.items() for each in (key, reads)]
        arguments = (int(at.timestamp()), KEPT_SECONDS, bulk, *counts)
        with translated():
            await self._client.eval(_ADD, 1, f"{_KEYS}{app_id}:{environment}", *map(str, arguments))

    async def of(self, app_id: str, environment: str) -> Counted:
        with translated():
            kept = cast("dict[bytes, bytes]", await self._client.hgetall(f"{_KEYS}{app_id}:{environment}"))
        return Counted(
            since=_moment(kept.get(_SINCE)),
            keys=dict(_keys(kept)),
            bulk=int(kept.get(_BULK, 0)),
            last_bulk_at=_moment(kept.get(_BULK_AT)),
        )


def _keys(kept: Mapping[bytes, bytes]) -> Iterator[tuple[str, KeyReads]]:
    for field, count in kept.items():
        if field.startswith(_COUNT) and (at := _moment(kept.get(_LAST + field.removeprefix(_COUNT)))) is not None:
            yield field.removeprefix(_COUNT).decode(), KeyReads(int(count), at)


def _moment(seconds: bytes | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC)

"""Who guessed how often, over all replicas: scripts count, by Redis' own clock, in one round trip."""

from redis.asyncio import Redis

from control_plane.domain.people.lockout import Lockout
from control_plane.redis_cache.client import PREFIX, translated

_KEYS = f"{PREFIX}guesses:"

_ATTEMPT = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local free, first, cap, memory = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local kept = redis.call('HMGET', KEYS[1], 'failures', 'last')
local failures = tonumber(kept[1] or '0') or 0
local last = math.min(tonumber(kept[2] or '0') or 0, now)
local wait = 0
if failures >= free then
    wait = last + math.min(cap, first * 2 ^ math.min(failures - free, 64)) - now
end
if wait > 0 then
    redis.call('HSET', KEYS[1], 'last', string.format('%.6f', last))
    return math.ceil(wait * 1000000)
end
redis.call('HSET', KEYS[1], 'failures', math.min(failures + 1, 64), 'last', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(memory * 1000))
return 0
"""

_FORGIVE = """
if tonumber(redis.call('HGET', KEYS[1], 'failures') or '0') > 0 then
    redis.call('HINCRBY', KEYS[1], 'failures', -1)
end
"""


class RedisGuesses:
    """One key for each name, gone when nobody guessed for a while."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._attempt, self._forgive = client.register_script(_ATTEMPT), client.register_script(_FORGIVE)

    async def attempt(self, name: str, rule: Lockout) -> float:
        args = (rule.free, rule.first, rule.cap, rule.memory)
        with translated():
            wait = await self._attempt(keys=[_KEYS + name], args=args)
        return int(wait) / 1_000_000

    async def forget(self, name: str) -> None:
        with translated():
            await self._client.delete(_KEYS + name)

    async def forgive(self, name: str) -> None:
        with translated():
            await self._forgive(keys=[_KEYS + name])

"""Counters of requests that all replicas share: a script counts, by Redis' own clock, in one round trip."""

from redis.asyncio import Redis

from control_plane.domain.errors import UnavailableError
from control_plane.domain.rates import Rate, Taken
from control_plane.redis_cache.client import FAILURES, PREFIX, Outage

_KEYS = f"{PREFIX}rate:"

_TAKE = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local interval, burst, upto = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local paid = tonumber(redis.call('GET', KEYS[1]) or '0')
local length = burst * interval
paid = math.min(math.max(paid, now), now + length)
local room = math.floor((now + length - paid) / interval + 0.001)
local granted = math.min(upto, room)
if granted < 1 then
    return {0, 0, math.ceil(math.max(0, paid - now - length + interval) * 1000000)}
end
paid = paid + granted * interval
redis.call('SET', KEYS[1], string.format('%.6f', paid), 'PX', math.ceil((paid - now) * 1000) + 1)
return {granted, room - granted, 0}
"""


class RedisRateCounters:
    """One key for each name, gone when nothing is left to remember."""

    def __init__(self, client: Redis) -> None:
        self._take = client.register_script(_TAKE)
        self._outage = Outage("each replica counts requests for itself")

    async def take(self, name: str, rate: Rate, upto: int = 1) -> Taken:
        dependency = "redis"
        if self._outage.sparing:
            raise UnavailableError(dependency, "did not answer a moment ago")
        arguments = (f"{rate.interval:.9f}", rate.burst, upto)
        try:
            granted, remaining, wait = await self._take(keys=[_KEYS + name], args=arguments)
        except FAILURES as error:
            self._outage.failed(error)
            raise UnavailableError(dependency, type(error).__name__) from error
        self._outage.worked()
        return Taken(granted, remaining, wait / 1_000_000)

"""Evidence about candidates, added up over all replicas: by one script, so that a report counts once and as a whole.

Of each rollout there are a sorted set of its blocks by when they close, a hash of their counts (four fields for each
block), and a hash of the health of instances. All of it expires when nobody adds to it any more.
"""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from redis.asyncio import Redis

from control_plane.domain.gates.comparison import Block
from control_plane.domain.gates.evalue import Tally
from control_plane.domain.gates.evidence import (
    MAX_BLOCKS,
    MAX_INSTANCES,
    OLDEST_MS,
    EvidenceReport,
    Health,
    InstanceHealth,
    OutcomeCount,
    Status,
    bucket_ms,
    closes_ms,
)
from control_plane.ports.evidence import Recorded
from control_plane.redis_cache.client import PREFIX, translated
from shared.domain.codec import Json, decode, encode

_SEQUENCES, _BLOCKS, _COUNTS, _HEALTH = (
    f"{PREFIX}evidence:{kind}:" for kind in ("sequence", "blocks", "counts", "health")
)
_COUNTERS = ("cs", "cf", "bs", "bf")
"""Candidate and baseline, succeeded and failed."""
_PAGE = 500

KEPT_SECONDS = 86_400
"""Evidence that nobody adds to is forgotten after this."""

# KEYS: the sequence, then what the documents name by its index. ARGV: {sequence, seconds, max_blocks, max_instances,
# outcomes: [[index of blocks, index of counts, block, closes, counter, number], …], health: [[index, who, status, packed]]}
_RECORD = """
local report = cjson.decode(ARGV[1])
if tonumber(report.sequence) <= tonumber(redis.call('GET', KEYS[1]) or '-1') then
    return {0, 0}
end
redis.call('SET', KEYS[1], report.sequence, 'EX', report.seconds)
for _, each in ipairs(report.outcomes) do
    local blocks, counts, block = KEYS[each[1]], KEYS[each[2]], each[3]
    redis.call('ZADD', blocks, each[4], block)
    redis.call('HINCRBY', counts, block .. each[5], each[6])
    if redis.call('ZCARD', blocks) > report.max_blocks then
        local oldest = redis.call('ZPOPMIN', blocks)[1]
        redis.call('HDEL', counts, oldest .. 'cs', oldest .. 'cf', oldest .. 'bs', oldest .. 'bf')
    end
    redis.call('EXPIRE', blocks, report.seconds)
    redis.call('EXPIRE', counts, report.seconds)
end
local alarming = 0
for _, each in ipairs(report.health) do
    local name, who = KEYS[each[1]], each[2]
    local before = redis.call('HGET', name, who)
    if before or redis.call('HLEN', name) < report.max_instances then
        redis.call('HSET', name, who, each[4])
        redis.call('EXPIRE', name, report.seconds)
        if each[3] == 'unhealthy' and not (before and cjson.decode(before).status == 'unhealthy') then
            alarming = 1
        end
    end
end
return {1, alarming}
"""


class RedisEvidence:
    """Blocks and health of each rollout."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def record(self, report: EvidenceReport, now_ms: int) -> Recorded:
        who = f"{report.app_id}:{report.environment}:{report.instance}"
        names = _Names(f"{_SEQUENCES}{who}:{report.incarnation}")
        document = {
            "sequence": str(report.sequence),
            "seconds": KEPT_SECONDS,
            "max_blocks": MAX_BLOCKS,
            "max_instances": MAX_INSTANCES,
            "outcomes": [
                each
                for count in report.outcomes
                if count.at_ms >= now_ms - OLDEST_MS
                for each in _counted(names, count, now_ms)
            ],
            "health": [
                [names.of(_HEALTH, each.rollout), _who(report), str(each.status), _packed(report, each)]
                for each in report.health
            ],
        }
        with translated():
            fresh, alarming = await self._client.eval(_RECORD, len(names.all), *names.all, encode(document).decode())
        return Recorded(bool(fresh), bool(alarming))

    async def blocks(self, rollout: UUID, after_ms: int, until_ms: int) -> Sequence[Block]:
        found: list[Block] = []
        with translated():
            names = await self._client.zrangebyscore(f"{_BLOCKS}{rollout}", f"({after_ms}", until_ms)
            blocks = [each.decode() for each in cast("list[bytes]", names)]
            for at in range(0, len(blocks), _PAGE):
                page = blocks[at : at + _PAGE]
                fields = [block + counter for block in page for counter in _COUNTERS]
                counts = [int(each or 0) for each in await self._client.hmget(f"{_COUNTS}{rollout}", fields)]
                found += [_block(block, counts[index * 4 : index * 4 + 4]) for index, block in enumerate(page)]
        return sorted(found, key=lambda block: (block.closed_ms, block.at_ms))

    async def health(self, rollout: UUID) -> Sequence[InstanceHealth]:
        with translated():
            packed = await self._client.hvals(f"{_HEALTH}{rollout}")
        known = [_unpacked(rollout, decode(each)) for each in packed]
        return sorted(known, key=lambda each: (each.app_id, each.environment, each.instance))

    async def forget(self, rollout: UUID) -> None:
        with translated():
            await self._client.delete(*(f"{kind}{rollout}" for kind in (_BLOCKS, _COUNTS, _HEALTH)))


class _Names:
    """The keys that a script gets, each once, and their indexes."""

    def __init__(self, first: str) -> None:
        self.all = [first]
        self._indexes: dict[str, int] = {}

    def of(self, kind: str, rollout: UUID) -> int:
        """The index of a rollout's key, from 1 as the script counts."""
        name = f"{kind}{rollout}"
        if name not in self._indexes:
            self.all.append(name)
            self._indexes[name] = len(self.all)
        return self._indexes[name]


def _counted(names: _Names, count: OutcomeCount, now_ms: int) -> list[Json]:
    bucket = bucket_ms(count.at_ms, now_ms)
    closes = closes_ms(bucket, now_ms)
    blocks, counts = names.of(_BLOCKS, count.rollout), names.of(_COUNTS, count.rollout)
    arm = "c" if count.arm == "candidate" else "b"
    numbers = ((f"{arm}s", count.succeeded), (f"{arm}f", count.failed))
    return [[blocks, counts, f"{closes}:{bucket}:", str(closes), name, str(number)] for name, number in numbers]


def _block(name: str, counts: Sequence[int]) -> Block:
    closes, bucket, _ = name.split(":")
    return Block(int(closes), int(bucket), Tally(counts[0], counts[1]), Tally(counts[2], counts[3]))


def _who(report: EvidenceReport) -> str:
    return f"{report.app_id}:{report.environment}:{report.instance}"


def _packed(report: EvidenceReport, health: Health) -> str:
    document = {
        "app_id": report.app_id,
        "environment": report.environment,
        "instance": report.instance,
        "step": health.step,
        "status": str(health.status),
        "since": health.since_ms,
        "detail": health.detail,
    }
    return encode(document).decode()


def _unpacked(rollout: UUID, document: Json) -> InstanceHealth:
    health = Health(rollout, document["step"], Status(document["status"]), document["since"], document["detail"])
    return InstanceHealth(document["app_id"], document["environment"], document["instance"], health)

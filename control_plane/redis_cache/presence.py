"""The latest report of each live agent: one key each, gone when the agent has been silent for too long."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from redis.asyncio import Redis

from control_plane.ports.lossy import AgentPresence, ShownCredential
from control_plane.redis_cache.client import PREFIX, translated
from control_plane.redis_cache.marks import Marks
from shared.domain.codec import Json, decode, encode, fragment
from shared.wire.report import Report

_KEYS = f"{PREFIX}agent:"

_PAGE = 1_000
"""Keys looked through, and reports read, in one round trip."""


class RedisPresence:
    """Reports by app, environment and instance. Gates judge by them: marked, they can only come from replicas."""

    def __init__(self, client: Redis, marks: Marks) -> None:
        self._client, self._marks = client, marks

    async def record(self, presence: AgentPresence, ttl: float) -> None:
        report = presence.report
        name = f"{_KEYS}{report.app_id}:{report.environment}:{report.instance}"
        packed = await self._marks.marked(name, _pack(presence))
        with translated():
            await self._client.set(name, packed, px=max(1, int(ttl * 1000)))

    async def list(self, app_id: str | None = None, environment: str | None = None) -> list[AgentPresence]:
        found: dict[tuple[str, str, str], AgentPresence] = {}
        with translated():
            async for keys in self._keys(f"{_KEYS}{app_id or '*'}:{environment or '*'}:*"):
                for key, kept in zip(keys, await self._client.mget(keys), strict=True):
                    packed = await self._marks.content(key if isinstance(key, str) else key.decode(), kept)
                    if packed is not None:
                        presence = _unpack(packed)
                        report = presence.report
                        if environment in (None, report.environment):  # an instance's name may hold a colon
                            found[report.app_id, report.environment, report.instance] = presence
        return [found[each] for each in sorted(found)]

    async def _keys(self, pattern: str) -> AsyncIterator[Sequence[bytes | str]]:
        cursor = 0
        while True:
            cursor, keys = await self._client.scan(cursor, match=pattern, count=_PAGE)
            if keys:
                yield keys
            if cursor == 0:
                return


def _pack(presence: AgentPresence) -> bytes:
    return encode(
        {
            "report": fragment(presence.report.encode()),
            "address": presence.address,
            "seen_at": presence.seen_at,
            "credential": presence.credential,
        }
    )


def _unpack(packed: bytes) -> AgentPresence:
    document = decode(packed)
    return AgentPresence(
        Report.from_document(document["report"]),
        document["address"],
        datetime.fromisoformat(document["seen_at"]),
        _credential(document.get("credential")),
    )


def _credential(document: Json) -> ShownCredential | None:
    """None also in what an earlier version has packed."""
    if document is None:
        return None
    until = document["expires_at"]
    return ShownCredential(document["id"], document["own"], until and datetime.fromisoformat(until))

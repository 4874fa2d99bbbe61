"""Sessions that all replicas share: one key each, gone when it is over, and a set of them for each person."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil
from uuid import UUID

from redis.asyncio import Redis

from control_plane.domain.errors import UnavailableError
from control_plane.domain.people.session import Carrier, Session
from control_plane.redis_cache.client import PREFIX, translated
from control_plane.redis_cache.marks import Marks
from shared.domain.codec import Json, MalformedJsonError, decode, encode

_KEYS = f"{PREFIX}session:"
_OF = f"{PREFIX}sessions-of:"

_PUT = """
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SADD', KEYS[2], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
"""


class RedisSessions:
    """Asked at every request that comes with a session: what one replica ends is over on all of them."""

    def __init__(self, client: Redis, marks: Marks) -> None:
        self._client, self._marks = client, marks
        self._put = client.register_script(_PUT)

    async def put(self, hashed: str, session: Session, ttl: float) -> None:
        whole = _milliseconds((session.ends_at - session.created_at).total_seconds())
        packed = await self._marks.marked(_KEYS + hashed, _pack(session))
        with translated():
            keys = [_KEYS + hashed, f"{_OF}{session.user_id}"]
            await self._put(keys=keys, args=[packed, _milliseconds(ttl), hashed, max(whole, _milliseconds(ttl))])

    async def get(self, hashed: str) -> Session | None:
        with translated():
            kept = await self._client.get(_KEYS + hashed)
        return _unpack(await self._marks.content(_KEYS + hashed, kept))

    async def touch(self, hashed: str, session: Session, ttl: float) -> None:
        packed = await self._marks.marked(_KEYS + hashed, _pack(session))
        with translated():
            await self._client.set(_KEYS + hashed, packed, px=_milliseconds(ttl), xx=True)

    async def drop(self, user_id: UUID, hashed: str) -> None:
        with translated():
            if await self._client.srem(f"{_OF}{user_id}", hashed):
                await self._client.delete(_KEYS + hashed)

    async def of(self, user_id: UUID) -> Sequence[tuple[str, Session]]:
        with translated():
            hashes = sorted(_text(each) for each in await self._client.smembers(f"{_OF}{user_id}"))
            kept = await self._client.mget([_KEYS + each for each in hashes]) if hashes else []
            gone = [hashed for hashed, found in zip(hashes, kept, strict=True) if found is None]
            if gone:
                await self._client.srem(f"{_OF}{user_id}", *gone)
        packed = [await self._marks.content(_KEYS + name, each) for name, each in zip(hashes, kept, strict=True)]
        found = zip(hashes, map(_unpack, packed), strict=True)
        return [(hashed, session) for hashed, session in found if session is not None]


def _text(found: bytes | str) -> str:
    return found if isinstance(found, str) else found.decode()


def _milliseconds(seconds: float) -> int:
    return max(1, ceil(seconds * 1000))


def _pack(session: Session) -> bytes:
    document = {name: getattr(session, name) for name in Session.__dataclass_fields__}
    return encode(document | {"idle": session.idle.total_seconds()})


def _unpack(packed: bytes | None) -> Session | None:
    if packed is None:
        return None
    try:
        return _read(decode(packed))
    except (MalformedJsonError, LookupError, TypeError, ValueError) as error:
        dependency = "redis"
        raise UnavailableError(dependency, "what lies under a session's name is none") from error


def _read(document: Json) -> Session:
    return Session(
        **document
        | {name: datetime.fromisoformat(document[name]) for name in ("created_at", "seen_at", "ends_at")}
        | {
            "user_id": UUID(document["user_id"]),
            "carrier": Carrier(document["carrier"]),
            "groups": tuple(document["groups"]),
            "idle": timedelta(seconds=document["idle"]),
        }
    )

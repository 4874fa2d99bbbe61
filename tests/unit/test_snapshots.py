"""Snapshots: compiled once, never out of date unless they say so."""

import gzip as gzip_module

import anyio
import pytest

from control_plane.domain.errors import NotFoundError, UnavailableError
from control_plane.embedded.memory import MemoryCache
from control_plane.metrics import Metrics
from control_plane.services.feed import Feed
from control_plane.services.lru import Lru
from control_plane.services.snapshots import STALE_AFTER, ServedSnapshot, Snapshots
from shared.domain.entry import digest_text
from shared.domain.scope import Level, Revisions, Scope
from shared.wire.snapshot import SnapshotDocument
from tests.fakes.clock import ManualClock
from tests.fakes.store import FakeStore

GLOBAL, APP, PROD = Scope(), Scope("billing"), Scope("billing", "prod")


class Replica:
    """One replica over a shared store and a shared cache."""

    def __init__(self, store: FakeStore, cache: MemoryCache) -> None:
        self.clock, self.metrics = ManualClock(), Metrics()
        self.feed = Feed(store, self.metrics, self.clock)
        self.snapshots = Snapshots(store, self.feed, cache, self.metrics, self.clock)

    async def fetch(self, since: Revisions | None = None, at_least: int = 0) -> SnapshotDocument:
        served = await self.snapshots.fetch("billing", "prod", since, at_least, gzip=False)
        document = SnapshotDocument.decode(served.body)
        assert document.stale is served.stale
        return document


@pytest.fixture
def store() -> FakeStore:
    return FakeStore(("billing", "prod"), ("billing", "test"))


@pytest.fixture
def cache() -> MemoryCache:
    return MemoryCache()


@pytest.fixture
async def replica(store: FakeStore, cache: MemoryCache) -> Replica:
    replica = Replica(store, cache)
    store.write(GLOBAL, key="a")
    store.write(APP, PROD, key="b")
    await replica.feed.load()
    store.queries.clear()
    return replica


async def test_a_snapshot_is_compiled_once_however_many_ask(store: FakeStore, replica: Replica) -> None:
    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(replica.fetch)
    assert store.queries == ["snapshot"]
    document = await replica.fetch()
    assert (document.revisions, document.full, len(document.items)) == (Revisions(1, 2, 2), True, 3)


async def test_a_change_makes_a_new_snapshot(store: FakeStore, replica: Replica) -> None:
    before = await replica.snapshots.fetch("billing", "prod", None)
    replica.feed.offer(store.write(GLOBAL, key="a", value=2))
    after = await replica.snapshots.fetch("billing", "prod", None)
    assert before.etag != after.etag
    assert SnapshotDocument.decode(after.body).revisions == Revisions(3, 2, 2)


async def test_a_change_elsewhere_leaves_it_alone(store: FakeStore, replica: Replica) -> None:
    await replica.fetch()
    replica.feed.offer(store.write(Scope("shop")))
    await replica.fetch()
    assert store.queries == ["snapshot"]


async def test_another_replica_finds_it_in_the_shared_cache(
    store: FakeStore, cache: MemoryCache, replica: Replica
) -> None:
    await replica.fetch()
    other = Replica(store, cache)
    await other.feed.load()
    assert await other.fetch() == await replica.fetch()
    assert store.queries == ["snapshot", "heads"]


class WatchedCache(MemoryCache):
    """Keeps a record of how it is used."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.ttls: list[float] = []

    async def get(self, key: str) -> bytes | None:
        self.calls.append("get")
        return await super().get(key)

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        self.calls.append("set")
        self.ttls.append(ttl)
        await super().set(key, value, ttl)


async def test_memory_is_asked_first_then_the_shared_cache_then_the_database(store: FakeStore) -> None:
    cache = WatchedCache()
    store.write(PROD, key="a")
    one, two = Replica(store, cache), Replica(store, cache)
    for each in (one, two):
        await each.feed.load()
    store.queries.clear()
    await one.fetch()
    assert (cache.calls, store.queries) == (["get", "set"], ["snapshot"])
    assert 0 < cache.ttls[0] <= 3_600, "what nobody asks for any more does not stay"
    await two.fetch()
    assert (cache.calls, store.queries) == (["get", "set", "get"], ["snapshot"])
    for each in (one, two):
        await each.fetch()
        await each.snapshots.effective("billing", "prod")
    assert (len(cache.calls), store.queries) == (3, ["snapshot", "revision", "revision"])


async def test_people_and_agents_who_ask_at_the_same_time_share_one_reading(store: FakeStore, replica: Replica) -> None:
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(replica.snapshots.effective, "billing", "prod")
            group.start_soon(replica.fetch)
    assert store.queries.count("snapshot") == 1


async def test_a_damaged_copy_in_the_shared_cache_is_a_miss(
    store: FakeStore, cache: MemoryCache, replica: Replica
) -> None:
    replica.feed.offer(store.write(PROD, key="long", value="x" * 5_000))
    await replica.fetch()
    ((key, (packed, _)),) = cache._kept.items()
    await cache.set(key, packed[:-10], 60.0)
    other = Replica(store, cache)
    await other.feed.load()
    assert len((await other.fetch()).items) == 4


async def test_sensitive_values_never_reach_the_shared_cache(
    store: FakeStore, cache: MemoryCache, replica: Replica
) -> None:
    replica.feed.offer(store.write(PROD, key="password", value="hunter2", sensitive=True))
    assert b"hunter2" in (await replica.snapshots.fetch("billing", "prod", None)).body
    assert len(cache._kept) == 0


async def test_who_has_everything_gets_an_empty_delta_without_a_query(store: FakeStore, replica: Replica) -> None:
    full = await replica.fetch()
    document = await replica.fetch(since=full.revisions)
    assert (document.full, document.items, document.digests) == (False, (), full.digests)
    assert store.queries == ["snapshot"]


async def test_a_delta_is_read_once_however_many_ask(store: FakeStore, replica: Replica) -> None:
    replica.feed.offer(store.write(PROD, key="b", value=None))
    for _ in range(3):
        document = await replica.fetch(since=Revisions(1, 2, 2))
        assert [(each.level, each.key, each.entry) for each in document.items] == [(Level.ENVIRONMENT, "b", None)]
    assert store.queries == ["snapshot"]


@pytest.mark.parametrize("since", [None, Revisions(), Revisions(1, 0, 0)])
async def test_what_is_not_registered_is_not_found(replica: Replica, since: Revisions | None) -> None:
    with pytest.raises(NotFoundError):
        await replica.snapshots.fetch("nobody", "knows", since)
    with pytest.raises(NotFoundError):
        await replica.snapshots.effective("nobody", "knows", None)


async def test_a_replica_that_has_not_heard_yet_looks_before_it_answers(store: FakeStore, replica: Replica) -> None:
    await replica.fetch()
    store.write(PROD, key="b", value=2)
    assert (await replica.fetch(at_least=3)).revisions == Revisions(1, 2, 3)
    store.write(PROD, key="b", value=3)
    assert (await replica.fetch(since=Revisions(1, 2, 4))).items == ()


async def test_without_the_database_the_last_snapshot_is_served_as_stale(store: FakeStore, replica: Replica) -> None:
    await replica.fetch()
    store.away = True
    replica.clock.advance(STALE_AFTER + 1)
    assert (await replica.fetch()).stale
    assert (await replica.fetch(since=Revisions(1, 2, 2))).stale
    document = await replica.fetch(since=Revisions(1, 0, 0))
    assert (document.stale, document.full) == (True, True)
    assert (await replica.fetch(at_least=9)).stale
    store.away = False
    await replica.feed.catch_up()
    replica.clock.advance(1)
    assert not (await replica.fetch()).stale


async def test_without_the_database_nobody_is_sent_back(store: FakeStore, replica: Replica) -> None:
    await replica.fetch()
    replica.feed.offer(store.write(PROD, key="b", value=2))
    store.away = True
    assert (await replica.fetch()).revisions == Revisions(1, 2, 2)
    with pytest.raises(UnavailableError):
        await replica.fetch(since=Revisions(0, 2, 3))


async def test_without_the_database_what_was_never_compiled_is_unavailable(store: FakeStore, replica: Replica) -> None:
    store.away = True
    for _ in range(3):
        with pytest.raises(UnavailableError):
            await replica.fetch()
    assert store.queries == ["snapshot"]


async def test_large_snapshots_are_compressed_once(store: FakeStore, replica: Replica) -> None:
    replica.feed.offer(store.write(PROD, key="long", value="x" * 200_000))
    plain = await replica.snapshots.fetch("billing", "prod", None, gzip=False)
    packed = await replica.snapshots.fetch("billing", "prod", None, gzip=True)
    again = await replica.snapshots.fetch("billing", "prod", None, gzip=True)
    assert (plain.gzip, packed.gzip, packed.etag) == (False, True, plain.etag)
    assert gzip_module.decompress(packed.body) == plain.body
    assert again.body is packed.body


async def test_small_snapshots_are_not_worth_compressing(replica: Replica) -> None:
    assert not (await replica.snapshots.fetch("billing", "prod", None, gzip=True)).gzip


async def test_the_etag_names_revisions_and_digest(replica: Replica) -> None:
    served: ServedSnapshot = await replica.snapshots.fetch("billing", "prod", None)
    global_, app, own = replica.feed.digests("billing", "prod")
    assert served.etag == f'"1.2.2-{digest_text(global_ ^ app ^ own)}"'


async def test_people_see_where_each_value_comes_from_and_no_secrets(store: FakeStore, replica: Replica) -> None:
    store.write(PROD, key="password", value="hunter2", sensitive=True)  # by another replica, not heard of yet
    view = await replica.snapshots.effective("billing", "prod", None)
    assert {key: each.level for key, each in view.configs.items()} == {
        "a": Level.GLOBAL,
        "b": Level.ENVIRONMENT,
        "password": Level.ENVIRONMENT,
    }
    assert view.configs["password"].entry.value == b""
    assert (view.revision, view.revisions, view.stale) == (3, Revisions(1, 2, 3), False)
    assert list((await replica.snapshots.effective("billing", "prod", ["b", "missing"])).configs) == ["b"]


async def test_people_are_told_that_the_database_is_away(store: FakeStore, replica: Replica) -> None:
    await replica.fetch()
    store.away = True
    assert (await replica.snapshots.effective("billing", "prod", None)).stale


async def test_warming_compiles_what_it_can(store: FakeStore, replica: Replica) -> None:
    await replica.snapshots.warm([("billing", "prod"), ("nobody", "knows"), ("billing", "test")])
    store.queries.clear()
    await replica.fetch()
    assert store.queries == []


def test_memory_is_bounded_by_what_was_used_last() -> None:
    lru: Lru[str] = Lru(100)
    for name in "abc":
        lru.put(name, name, 40)
    assert (lru.get("a"), lru.get("b"), lru.size) == (None, "b", 80)
    lru.put("d", "d", 40)
    assert (lru.get("c"), lru.get("b")) == (None, "b")
    lru.put("huge", "huge", 1_000)
    assert (len(lru), lru.get("huge"), lru.size) == (1, "huge", 1_000)
    lru.put("huge", "smaller", 10)
    assert lru.size == 10

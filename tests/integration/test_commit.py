"""Commits that meet each other, and commits that are cut off."""

from collections.abc import AsyncIterator

import anyio
import asyncpg
import pytest

from control_plane.domain.errors import UnavailableError
from control_plane.postgres.pool import open_pool
from control_plane.postgres.probe import PostgresProbe
from tests.servers.server import Server
from tests.store import BILLING, GLOBAL, PROD, STAGING, Store, billing_store, put


@pytest.fixture
async def store(migrated_url: str) -> AsyncIterator[Store]:
    async with billing_store(migrated_url, size=20) as opened:
        yield opened


async def test_twenty_writers_get_gapless_revisions_and_unbroken_chains(store: Store) -> None:
    scopes = (GLOBAL, BILLING, PROD, STAGING)
    done = []

    async def write(writer: int) -> None:
        for turn in range(10):
            one, other = scopes[(writer + turn) % 4], scopes[(writer * turn + 1) % 4]
            operations = {put(one, f"k{turn}", writer), put(other, f"k{turn}", writer)}
            done.append(await store.commit(*operations))

    async with anyio.create_task_group() as group:
        for writer in range(20):
            group.start_soon(write, writer)
    done.sort(key=lambda each: each.revision)
    assert [each.revision for each in done] == list(range(1, 201))
    assert sorted(each.committed_at for each in done) == [each.committed_at for each in done]
    last = {}
    for change in done:
        for message in change.messages:
            assert message.previous == last.get(message.scope, 0)
            last[message.scope] = message.revision
    assert await store.changes.messages_after(0, 1000) == [each for change in done for each in change.messages]
    states = (await store.changes.heads()).scopes
    assert {scope: state.revision for scope, state in states.items()} == last
    assert await store.pool.fetchval("select trimtab_audit_broken_at()") is None


async def test_a_commit_whose_connection_is_lost_leaves_nothing_and_says_that_it_may_have(
    migrated_url: str, store: Store
) -> None:
    await store.commit(put(PROD, "a", 1))
    blocker = await asyncpg.connect(migrated_url)
    holding = blocker.transaction()
    await holding.start()
    await blocker.execute("select from installation for update")
    caught: list[UnavailableError] = []

    async def commit() -> None:
        with pytest.raises(UnavailableError) as error:
            await store.commit(put(PROD, "a", 2))
        caught.append(error.value)

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(commit)
            while not await blocker.fetch(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'trimtab' and wait_event_type = 'Lock' and datname = current_database()"
            ):
                await anyio.sleep(0.01)
    await holding.rollback()
    await blocker.close()
    assert "Idempotency-Key" in caught[0].detail
    assert await store.changes.revision() == 1
    again = await store.commit(put(PROD, "a", 3))
    assert (again.revision, again.applied[0].version) == (2, 2)


async def test_a_pool_heals_by_itself_after_the_server_was_away(own_postgres: Server) -> None:
    async with open_pool(own_postgres.url, 3) as pool:
        probe = PostgresProbe(pool)
        assert (await probe.probe()).ok
        await own_postgres.stop()
        away = await probe.probe()
        assert not away.ok
        assert "postgresql" in away.detail
        await own_postgres.start()
        with anyio.fail_after(10):
            while not (await probe.probe()).ok:
                await anyio.sleep(0.05)


async def test_a_pool_cannot_be_opened_where_nothing_listens() -> None:
    with pytest.raises(UnavailableError, match="postgresql"):
        async with open_pool("postgresql://postgres@127.0.0.1:1/none"):
            pytest.fail("opened")

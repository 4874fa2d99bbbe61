"""One leader at a time, and the outbox in its hands only."""

from collections.abc import AsyncIterator

import anyio
import asyncpg
import pytest

from control_plane.domain.errors import UnavailableError
from control_plane.ports.outbox import OutboxStatus
from control_plane.postgres.leadership import PostgresLeadership
from tests.store import GLOBAL, PROD, Store, billing_store, mask, put


@pytest.fixture
async def store(migrated_url: str) -> AsyncIterator[Store]:
    async with billing_store(migrated_url) as opened:
        yield opened


async def _end_session_of(url: str, name: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        ended = await connection.fetch(
            "select pg_terminate_backend(a.pid) from pg_stat_activity as a join pg_locks as l on l.pid = a.pid"
            " where a.application_name = $1 and a.datname = current_database() and l.locktype = 'advisory'"
            " and l.granted",
            f"trimtab {name}",
        )
        assert len(ended) == 1
    finally:
        await connection.close()


async def test_pending_messages_are_whole_changes_in_revision_order(migrated_url: str, store: Store) -> None:
    first = await store.commit(put(PROD, "a", {"x": [1, None]}), mask(GLOBAL, "b"))
    second = await store.commit(put(PROD, "s", "secret", sensitive=True))
    async with PostgresLeadership(migrated_url, "relay").lead() as outbox:
        assert await outbox.pending(1) == list(first.messages)
        assert await outbox.pending(10) == [*first.messages, *second.messages]
        assert (await outbox.status()).depth == 3
        await outbox.mark_published(first.messages[:1])
        assert await outbox.pending(10) == [*first.messages[1:], *second.messages]
        await outbox.mark_published([*first.messages, *second.messages])
        assert await outbox.pending(10) == []
        assert await outbox.status() == OutboxStatus(0, 0.0)


async def test_only_what_has_served_its_time_is_pruned(migrated_url: str, store: Store) -> None:
    done = await store.commit(put(PROD, "a", 1), put(GLOBAL, "a", 1), idempotency_key="k", request_hash=b"h")
    async with PostgresLeadership(migrated_url, "relay").lead() as outbox:
        await outbox.mark_published(done.messages[:1])
        assert await outbox.prune(3600) == 0
        assert await outbox.prune(-1) == 2  # the published row and the key; never the unpublished row
        assert await outbox.pending(10) == list(done.messages[1:])
    async with PostgresLeadership(migrated_url, "housekeeping", publishes=False).lead() as outbox:
        assert await outbox.prune(3600) == 0
        assert await outbox.prune(-1) == 1
    assert await store.changes.messages_after(0, 10) == list(done.messages)


async def test_a_follower_takes_over_within_two_seconds_when_the_leaders_session_ends(migrated_url: str) -> None:
    leading, taken_over = anyio.Event(), anyio.Event()

    async def follow() -> None:
        await leading.wait()
        async with PostgresLeadership(migrated_url, "relay").lead() as outbox:
            await outbox.status()
            taken_over.set()

    async with anyio.create_task_group() as group:
        group.start_soon(follow)
        async with PostgresLeadership(migrated_url, "relay").lead() as outbox:
            leading.set()
            with anyio.move_on_after(0.8) as patience:
                await taken_over.wait()
            assert patience.cancelled_caught
            await _end_session_of(migrated_url, "relay")
            with anyio.fail_after(2):
                await taken_over.wait()
            with pytest.raises(UnavailableError):
                await outbox.pending(1)
            with pytest.raises(UnavailableError):
                await outbox.mark_published([])


async def test_leaving_the_block_hands_the_leadership_on(migrated_url: str) -> None:
    async with PostgresLeadership(migrated_url, "relay").lead():
        pass
    with anyio.fail_after(2):
        async with (
            PostgresLeadership(migrated_url, "relay").lead(),
            PostgresLeadership(migrated_url, "housekeeping").lead(),
        ):
            pass


async def test_waiting_for_the_leadership_can_be_cancelled(migrated_url: str) -> None:
    async with PostgresLeadership(migrated_url, "relay").lead():
        with anyio.move_on_after(0.3) as patience:
            async with PostgresLeadership(migrated_url, "relay").lead():
                pytest.fail("two leaders")
        assert patience.cancelled_caught


async def test_a_database_that_is_away_is_unavailable() -> None:
    with pytest.raises(UnavailableError):
        async with PostgresLeadership("postgresql://postgres@127.0.0.1:1/none", "relay").lead():
            pytest.fail("leads nothing")

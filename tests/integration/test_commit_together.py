"""Drafts that wait at the same time are committed together, and what one meets with is nothing to the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import asyncpg
import pytest
from anyio.abc import TaskGroup

from control_plane.domain.change import Committed, Operation
from control_plane.domain.errors import (
    ConflictError,
    InvalidError,
    KeyReusedError,
    NotFoundError,
    TrimtabError,
    UnavailableError,
    VersionMismatchError,
)
from control_plane.postgres.flights import MAX_DRAFTS
from shared.domain.scope import Scope
from tests.store import PROD, Store, billing_store, delete, put


class Crowd:
    """Commits that were started one after the other while the first one cannot get on."""

    def __init__(self, store: Store, blocker: asyncpg.Connection, group: TaskGroup) -> None:
        self.store, self.blocker = store, blocker
        self.results: dict[int, Committed | TrimtabError] = {}
        self.tasks: dict[int, asyncio.Task[None] | None] = {}
        self._group = group

    async def send(self, *operations: Operation, scope: anyio.CancelScope | None = None, **draft: object) -> int:
        """Start a commit and let it get as far as it can; the number under which its result will be."""
        number = len(self.tasks)
        self.tasks[number] = None

        async def run() -> None:
            self.tasks[number] = asyncio.current_task()
            with scope or anyio.CancelScope():
                try:
                    self.results[number] = await self.store.commit(*operations, **draft)
                except TrimtabError as error:
                    self.results[number] = error

        self._group.start_soon(run)
        await (self.until_blocked() if number == 0 else anyio.wait_all_tasks_blocked())
        return number

    async def until_blocked(self) -> int:
        """Wait until the flight hangs in the database; the process that serves it."""
        with anyio.fail_after(5):
            while True:
                await self.blocker.execute("select pg_stat_clear_snapshot()")
                found = await self.blocker.fetch(
                    "select pid from pg_stat_activity where application_name = 'trimtab'"
                    " and wait_event_type = 'Lock' and datname = current_database()"
                )
                if found:
                    return int(found[0]["pid"])
                await anyio.sleep(0.005)

    def end(self, number: int) -> None:
        """End a task by force, as no cancel scope does."""
        task = self.tasks[number]
        assert task is not None
        task.cancel()

    def revision(self, number: int) -> int:
        """The revision that a commit got."""
        result = self.results[number]
        assert isinstance(result, Committed), result
        return result.revision


@pytest.fixture
async def store(migrated_url: str) -> AsyncIterator[Store]:
    async with billing_store(migrated_url) as opened:
        yield opened


@asynccontextmanager
async def crowd(store: Store, url: str) -> AsyncIterator[Crowd]:
    """Hold all commits back until the block ends, and then wait for them."""
    blocker = await asyncpg.connect(url)
    try:
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group, blocker.transaction():
                await blocker.execute("select from installation for update")
                yield Crowd(store, blocker, group)
    finally:
        await blocker.close()
    assert await store.pool.fetchval("select trimtab_audit_broken_at()") is None


async def _transactions(store: Store) -> list[int]:
    """How many changes each transaction made, in order."""
    return [
        row["count"]
        for row in await store.pool.fetch("select count(*) from changes group by xmin::text order by min(revision)")
    ]


async def test_those_who_wait_share_one_transaction_in_their_order(store: Store, migrated_url: str) -> None:
    async with crowd(store, migrated_url) as waiting:
        for number in range(8):
            await waiting.send(put(PROD, f"k{number}", number))
    assert [waiting.revision(each) for each in range(8)] == list(range(1, 9))
    assert await _transactions(store) == [1, 7]
    messages = [each for done in waiting.results.values() if isinstance(done, Committed) for each in done.messages]
    assert await store.changes.messages_after(0, 20) == sorted(messages, key=lambda each: each.revision)
    assert [each.previous for each in await store.changes.messages_after(0, 20)] == list(range(8))
    times = [each.committed_at for each in await store.changes.messages_after(0, 20)]
    assert sorted(set(times)) == times


async def test_a_flight_takes_no_more_than_its_limit(store: Store, migrated_url: str) -> None:
    async with crowd(store, migrated_url) as waiting:
        await waiting.send(put(PROD, "first", 0))
        for number in range(MAX_DRAFTS + 3):
            await waiting.send(put(PROD, f"k{number}", number))
        for _ in range(2):
            await waiting.send(put(PROD, "large", "x" * 300_000))
    assert await _transactions(store) == [1, MAX_DRAFTS, 3, 1, 1]


async def test_refused_ones_leave_neither_a_trace_nor_a_gap(store: Store, migrated_url: str) -> None:
    await store.commit(put(PROD, "there", 1), idempotency_key="k", request_hash=b"h")
    await store.commit(put(PROD, "moved", 1))
    async with crowd(store, migrated_url) as waiting:
        await waiting.send(put(PROD, "a", 1))
        refused = {
            await waiting.send(put(Scope("nope"), "a", 1)): NotFoundError,
            await waiting.send(put(PROD, "there", 2, expected_version=0)): ConflictError,
            await waiting.send(put(PROD, "there", 2, expected_version=9)): VersionMismatchError,
            await waiting.send(put(PROD, "moved", 2), put(PROD, "n", 1), base_revision=1): ConflictError,
            await waiting.send(put(PROD, "b", 2), idempotency_key="k", request_hash=b"x"): KeyReusedError,
            await waiting.send(put(PROD, "c", 1), delete(PROD, "never")): InvalidError,
        }
        fine = [await waiting.send(put(PROD, f"fine-{number}", 1)) for number in range(2)]
        replayed = await waiting.send(put(PROD, "there", 1), idempotency_key="k", request_hash=b"h")
    assert {number: type(waiting.results[number]) for number in refused} == refused
    assert [waiting.revision(each) for each in (0, *fine, replayed)] == [3, 4, 5, 1]
    assert await _transactions(store) == [1, 1, 1, 2]
    assert await store.pool.fetchval("select count(*) from configs where key in ('n', 'b', 'c')") == 0


async def test_those_about_the_same_key_follow_each_other(store: Store, migrated_url: str) -> None:
    async with crowd(store, migrated_url) as waiting:
        for number in range(4):
            await waiting.send(put(PROD, "a", number))
        late = await waiting.send(put(PROD, "a", 9), base_revision=2)
        same = [await waiting.send(put(PROD, "b", 1), idempotency_key="k", request_hash=b"h") for _ in range(3)]
        other = await waiting.send(put(PROD, "b", 2), idempotency_key="k", request_hash=b"other")
    done = [each for each in waiting.results.values() if isinstance(each, Committed)]
    assert sorted(each.applied[0].version for each in done if each.applied[0].key == "a") == [1, 2, 3, 4]
    assert isinstance(waiting.results[late], ConflictError)
    assert [waiting.revision(each) for each in same] == [5, 5, 5]
    assert [each.replayed for each in done].count(True) == 2
    assert isinstance(waiting.results[other], KeyReusedError)
    assert await _transactions(store) == [1, 4]


async def test_one_that_cannot_be_stored_does_not_take_the_others_with_it(store: Store, migrated_url: str) -> None:
    async with crowd(store, migrated_url) as waiting:
        for number in range(3):
            await waiting.send(put(PROD, f"k{number}", number))
        bad = await waiting.send(put(PROD, "bad", 1, expected_version=2**64 - 1))
        last = await waiting.send(put(PROD, "last", 1))
    assert isinstance(waiting.results[bad], InvalidError)
    assert [waiting.revision(each) for each in (0, 1, 2, last)] == [1, 2, 3, 4]


async def test_a_cancelled_leader_finishes_the_flight_for_the_others(store: Store, migrated_url: str) -> None:
    leader, early, aboard = (anyio.CancelScope() for _ in range(3))
    async with crowd(store, migrated_url) as waiting:
        await waiting.send(put(PROD, "a", 1), scope=leader)
        await waiting.send(put(PROD, "never", 1), scope=early)
        await waiting.send(put(PROD, "b", 1))
        leader.cancel()
        early.cancel()
        await anyio.wait_all_tasks_blocked()
        assert not leader.cancelled_caught, "the flight is still in the air"
        assert early.cancelled_caught
        await waiting.send(put(PROD, "c", 1), scope=aboard)
    assert [waiting.revision(each) for each in (2, 3)] == [2, 3]
    assert await store.pool.fetchval("select count(*) from configs where key = 'never'") == 0


async def test_who_is_ended_just_when_called_to_lead_passes_it_on(store: Store, migrated_url: str) -> None:
    async with crowd(store, migrated_url) as waiting:
        await waiting.send(put(PROD, "a", 1))
        await waiting.send(put(PROD, "never", 1))
        await waiting.send(put(PROD, "b", 1))
        (head, _) = store.changes._flights._queue
        head.called.set()  # as the first flight's end does
        waiting.end(1)
        await anyio.wait_all_tasks_blocked()
    assert sorted(waiting.results) == [0, 2]
    assert sorted(map(waiting.revision, waiting.results)) == [1, 2]


async def test_a_leader_ended_by_force_leaves_the_others_an_unknown_outcome(store: Store, migrated_url: str) -> None:
    async with crowd(store, migrated_url) as waiting:
        await waiting.send(put(PROD, "a", 1))
        await waiting.send(put(PROD, "b", 1))
        waiting.end(0)
    assert 0 not in waiting.results
    assert waiting.revision(1) == await store.changes.revision()


async def test_a_lost_connection_is_an_unknown_outcome_for_all_aboard_and_for_nobody_else(
    store: Store, migrated_url: str
) -> None:
    async with crowd(store, migrated_url) as waiting:
        await waiting.send(put(PROD, "a", 1))
        for number in range(3):
            await waiting.send(put(PROD, f"k{number}", 1))
        await waiting.blocker.execute("select pg_terminate_backend($1)", await waiting.until_blocked())
        with anyio.fail_after(5):
            while 0 not in waiting.results:
                await anyio.sleep(0.005)
        await waiting.blocker.execute("select pg_terminate_backend($1)", await waiting.until_blocked())
        with anyio.fail_after(5):
            while len(waiting.results) < 4:
                await anyio.sleep(0.005)
        last = await waiting.send(put(PROD, "last", 1))
    errors = [waiting.results[number] for number in range(4)]
    assert all(isinstance(each, UnavailableError) and "Idempotency-Key" in each.detail for each in errors)
    assert len({id(each) for each in errors}) == 4
    assert waiting.revision(last) == 1


async def test_without_a_free_connection_commits_wait_together(migrated_url: str) -> None:
    async with billing_store(migrated_url, size=1) as store:
        taken = await store.pool.acquire()
        results = []

        async def commit(number: int) -> None:
            results.append(await store.commit(put(PROD, f"k{number}", 1)))

        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                for number in range(5):
                    group.start_soon(commit, number)
                await anyio.wait_all_tasks_blocked()
                await store.pool.release(taken)
        assert sorted(each.revision for each in results) == [1, 2, 3, 4, 5]
        assert await _transactions(store) == [1, 4]

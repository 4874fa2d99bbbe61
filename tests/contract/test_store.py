"""What the feed, the snapshots and the relay rely on in a store, of the one in memory and of PostgreSQL alike."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from itertools import pairwise

import anyio
import pytest

from agent.snapshot.model import Snapshot
from control_plane.domain.attribution import Attribution
from control_plane.domain.change import Draft, Op, Operation
from control_plane.domain.errors import NotFoundError
from control_plane.ports.changes import Changes
from control_plane.ports.configs import Configs
from control_plane.ports.outbox import Leadership
from control_plane.ports.registry import Registry
from control_plane.postgres.leadership import PostgresLeadership
from shared.domain.codec import canonical
from shared.domain.scope import Revisions, Scope
from shared.wire.messages import ChangeMessage, Put, ScopeState
from tests.fakes.store import FakeLeadership, FakeStore
from tests.store import BILLING, GLOBAL, PROD, STAGING, Store, billing_store

PAIRS = [("billing", "prod"), ("billing", "staging")]


@dataclass(frozen=True)
class Side:
    """One implementation, and a way to commit the same value (None: delete) to one or several scopes."""

    changes: Changes
    configs: Configs
    registry: Registry
    leadership: Leadership
    write: Callable[..., Awaitable[None]]


def in_memory() -> Side:
    store = FakeStore(*PAIRS)

    async def write(*scopes: Scope, key: str = "key", value: object = 1, sensitive: bool = False) -> None:
        store.write(*scopes, key=key, value=value, sensitive=sensitive)

    return Side(store, store, store, FakeLeadership(store), write)


def in_postgres(store: Store, url: str) -> Side:
    async def write(*scopes: Scope, key: str = "key", value: object = 1, sensitive: bool = False) -> None:
        if value is None:
            operations = [Operation(Op.DELETE, scope, key) for scope in scopes]
        else:
            operations = [Operation(Op.PUT, scope, key, canonical(value), sensitive=sensitive) for scope in scopes]
        await store.changes.commit(Draft(tuple(operations), Attribution("olga")))

    return Side(store.changes, store.configs, store.registry, PostgresLeadership(url, "relay"), write)


def revisions_of(messages: list[ChangeMessage]) -> list[int]:
    return [each.revision for each in messages]


class StoreContract:
    """What whoever reads a store may rely on."""

    async def test_revisions_have_no_gaps_and_the_heads_are_those_of_the_last_messages(self, side: Side) -> None:
        for scopes in ([PROD], [GLOBAL, BILLING], [PROD], [STAGING]):
            await side.write(*scopes)
        messages = await side.changes.messages_after(0, 10)
        assert sorted(set(revisions_of(messages))) == [1, 2, 3, 4]
        assert await side.changes.revision() == 4
        heads = await side.changes.heads()
        assert heads.revision == 4
        assert heads.scopes == {each.scope: ScopeState(each.revision, each.digest) for each in messages}

    async def test_previous_chains_the_messages_of_each_scope(self, side: Side) -> None:
        for scopes in ([PROD], [GLOBAL, PROD], [BILLING], [PROD, GLOBAL]):
            await side.write(*scopes)
        messages = await side.changes.messages_after(0, 10)
        for scope in (GLOBAL, BILLING, PROD):
            own = [each for each in messages if each.scope == scope]
            assert own[0].previous == 0
            assert all(later.previous == earlier.revision for earlier, later in pairwise(own))
        assert {frozenset(each.scopes) for each in messages if each.revision == 2} == {frozenset({GLOBAL, PROD})}

    async def test_messages_after_a_revision_are_whole_changes_in_order_and_the_limit_counts_changes(
        self, side: Side
    ) -> None:
        await side.write(PROD)
        await side.write(GLOBAL, BILLING, PROD)
        await side.write(STAGING)
        await side.write(GLOBAL, STAGING)
        assert revisions_of(await side.changes.messages_after(1, 1)) == [2, 2, 2]
        assert revisions_of(await side.changes.messages_after(1, 2)) == [2, 2, 2, 3]
        assert await side.changes.messages_after(4, 5) == []

    async def test_a_whole_snapshot_holds_what_lives_and_a_delta_leads_to_the_same(self, side: Side) -> None:
        await side.write(GLOBAL, BILLING, key="a", value={"deep": [1, 2.5]})
        await side.write(PROD, key="b", value="old")
        earlier = await side.configs.snapshot("billing", "prod", None)
        await side.write(PROD, key="b", value=None)
        await side.write(PROD, key="c", value=False)
        await side.write(STAGING, key="d")
        whole = await side.configs.snapshot("billing", "prod", None)
        assert whole.full
        assert sorted((item.level, item.key) for item in whole.items) == [
            ("app", "a"),
            ("environment", "c"),
            ("global", "a"),
        ]
        delta = await side.configs.snapshot("billing", "prod", earlier.revisions)
        assert not delta.full
        assert {item.key: item.entry is None for item in delta.items} == {"b": True, "c": False}
        empty = Snapshot.empty("billing", "prod")
        assert empty.after(earlier).after(delta) == empty.after(whole)

    async def test_a_sensitive_value_is_in_the_snapshot_and_never_in_a_message(self, side: Side) -> None:
        await side.write(PROD, value="hush", sensitive=True)
        (message,) = await side.changes.messages_after(0, 10)
        assert message.withholds_values
        assert [each.entry.value for each in message.operations if isinstance(each, Put)] == [b""]
        (item,) = (await side.configs.snapshot("billing", "prod", Revisions())).items
        assert item.entry is not None
        assert (item.entry.value, item.entry.sensitive) == (b'"hush"', True)

    async def test_what_is_not_registered_or_not_committed_is_not_found(self, side: Side) -> None:
        with pytest.raises(NotFoundError):
            await side.configs.snapshot("billing", "nowhere", None)
        with pytest.raises(NotFoundError):
            await side.changes.get_change(1)
        assert await side.registry.environments(10) == PAIRS
        assert await side.registry.environments(1) == PAIRS[:1]

    async def test_the_outbox_gives_whole_changes_until_they_are_marked(self, side: Side) -> None:
        await side.write(PROD)
        await side.write(GLOBAL, BILLING, PROD)
        await side.write(STAGING)
        async with side.leadership.lead() as outbox:
            assert (await outbox.status()).depth == 5
            first = await outbox.pending(2)
            assert revisions_of(first) == [1, 2, 2, 2]
            await outbox.mark_published(first)
            rest = await outbox.pending(2)
            assert revisions_of(rest) == [3]
            await outbox.mark_published([*rest, *first])
            assert await outbox.pending(2) == []
            assert (await outbox.status()).depth == 0

    async def test_one_leads_at_a_time_and_the_next_one_follows(self, side: Side) -> None:
        order: list[str] = []

        async def second(ready: anyio.Event) -> None:
            ready.set()
            async with side.leadership.lead():
                order.append("second")

        with anyio.fail_after(10):
            async with anyio.create_task_group() as group, side.leadership.lead() as outbox:
                ready = anyio.Event()
                group.start_soon(second, ready)
                await ready.wait()
                for _ in range(20):
                    await outbox.status()
                order.append("first")
        assert order == ["first", "second"]


class TestTheStoreInMemory(StoreContract):
    @pytest.fixture
    def side(self) -> Side:
        return in_memory()


class TestPostgres(StoreContract):
    @pytest.fixture
    async def side(self, migrated_url: str) -> AsyncIterator[Side]:
        async with billing_store(migrated_url) as store:
            yield in_postgres(store, migrated_url)

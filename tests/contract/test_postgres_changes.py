"""What a commit promises, against a real PostgreSQL."""

from collections.abc import AsyncIterator

import anyio
import asyncpg
import pytest

from control_plane.domain.attribution import Attribution, Source
from control_plane.domain.change import Op
from control_plane.domain.errors import (
    ConflictError,
    InvalidError,
    KeyReusedError,
    NotFoundError,
    VersionMismatchError,
)
from shared.domain.entry import Entry, Kind
from shared.domain.scope import Scope
from shared.wire.messages import Delete, Put, ScopeState
from tests.store import BILLING, GLOBAL, PROD, STAGING, Store, billing_store, delete, mask, put, unmask


@pytest.fixture
async def store(migrated_url: str) -> AsyncIterator[Store]:
    async with billing_store(migrated_url) as opened:
        yield opened


async def test_revisions_count_commits_and_versions_count_changes_of_one_config(store: Store) -> None:
    first = await store.commit(put(PROD, "a", 1))
    second = await store.commit(put(PROD, "a", 1), put(PROD, "b", 2))
    assert [first.revision, second.revision] == [1, 2]
    assert [(each.key, each.version) for each in second.applied] == [("a", 2), ("b", 1)]
    assert second.applied[0].id == first.applied[0].id
    assert second.committed_at > first.committed_at
    assert await store.changes.revision() == 2


async def test_a_message_says_what_happened_in_its_scope_and_what_came_before(store: Store) -> None:
    await store.commit(put(PROD, "old", 1), mask(GLOBAL, "m"))
    done = await store.commit(
        put(PROD, "a", {"b": [1.5, None]}), put(BILLING, "a", "x"), delete(PROD, "old"), unmask(GLOBAL, "m")
    )
    assert [each.scope for each in done.messages] == [GLOBAL, BILLING, PROD]
    assert [each.previous for each in done.messages] == [1, 0, 1]
    assert all(each.scopes == (GLOBAL, BILLING, PROD) and each.revision == 2 for each in done.messages)
    assert done.messages[0].operations == (Delete("m", 2),)
    assert done.messages[2].operations == (
        Put(Entry("a", Kind.VALUE, b'{"b":[1.5,null]}', 1, 2)),
        Delete("old", 2),
    )


async def test_messages_read_back_are_those_of_the_commit(store: Store) -> None:
    first = await store.commit(put(GLOBAL, "é".encode().hex(), "ü\u2028"), mask(PROD, "a"))
    second = await store.commit(put(PROD, "a", None), put(STAGING, "s", "secret", sensitive=True))
    third = await store.commit(delete(STAGING, "s"), put(BILLING, "n", 1e300))
    assert await store.changes.messages_after(0, 10) == [*first.messages, *second.messages, *third.messages]
    assert await store.changes.messages_after(1, 1) == list(second.messages)
    assert await store.changes.messages_after(3, 10) == []


async def test_heads_are_the_states_of_the_last_messages(store: Store) -> None:
    assert (await store.changes.heads()).scopes == {}
    await store.commit(put(PROD, "a", 1), put(GLOBAL, "a", 1))
    done = await store.commit(put(PROD, "b", 1))
    heads = await store.changes.heads()
    assert heads.revision == 2
    assert heads.scopes[PROD] == ScopeState(2, done.messages[0].digest)
    assert heads.scopes[GLOBAL].revision == 1


async def test_a_scope_that_is_emptied_again_has_digest_zero(store: Store) -> None:
    await store.commit(put(PROD, "a", 1), mask(PROD, "b"))
    done = await store.commit(delete(PROD, "a"), unmask(PROD, "b"))
    assert done.messages[0].digest == 0


@pytest.mark.parametrize(
    ("scope", "kind", "name"),
    [
        (Scope("nope"), "application", "nope"),
        (Scope("nope", "prod"), "application", "nope"),
        (Scope("billing", "nope"), "environment", "billing/nope"),
    ],
)
async def test_an_unregistered_scope_is_named(store: Store, scope: Scope, kind: str, name: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        await store.commit(put(PROD, "a", 1), put(scope, "a", 1))
    assert (caught.value.kind, caught.value.name) == (kind, name)
    assert await store.changes.revision() == 0


async def test_what_must_not_exist_conflicts_when_it_does(store: Store) -> None:
    await store.commit(put(PROD, "a", "theirs"))
    with pytest.raises(ConflictError) as caught:
        await store.commit(put(PROD, "b", 1, expected_version=0), put(PROD, "a", "mine", expected_version=0))
    (conflict,) = caught.value.facts["conflicts"]
    assert conflict["pointer"] == "/operations/1/key"
    assert (conflict["scope"], conflict["key"]) == ("env.billing.prod", "a")
    assert (conflict["current"]["version"], conflict["current"]["value"]) == (1, "theirs")
    assert conflict["yours"] == {"op": "put", "value": "mine"}


async def test_a_deleted_config_may_be_created_again_and_its_versions_count_on(store: Store) -> None:
    first = await store.commit(put(PROD, "a", 1))
    await store.commit(delete(PROD, "a"))
    again = await store.commit(put(PROD, "a", 2, expected_version=0))
    assert again.applied[0].version == 3
    assert again.applied[0].id == first.applied[0].id


async def test_another_version_than_expected_is_refused(store: Store) -> None:
    await store.commit(put(PROD, "a", 1))
    with pytest.raises(VersionMismatchError) as caught:
        await store.commit(put(PROD, "a", 2, expected_version=7))
    assert (caught.value.expected, caught.value.current) == (7, 1)
    assert (await store.commit(put(PROD, "a", 2, expected_version=1))).applied[0].version == 2


async def test_a_base_revision_names_every_key_that_moved_since_with_both_sides(store: Store) -> None:
    await store.commit(put(PROD, "a", 1), put(PROD, "b", 1), put(PROD, "s", "hidden", sensitive=True))
    await store.commit(put(PROD, "a", 2), delete(PROD, "b"), put(PROD, "s", "hidden too"))
    with pytest.raises(ConflictError) as caught:
        await store.commit(
            put(PROD, "a", 3), put(PROD, "b", 3), put(PROD, "c", 3), put(PROD, "s", "my secret"), base_revision=1
        )
    conflicts = caught.value.facts["conflicts"]
    assert [each["key"] for each in conflicts] == ["a", "b", "s"]
    assert (conflicts[0]["current"]["value"], conflicts[0]["yours"]["value"]) == (2, 3)
    assert conflicts[1]["current"]["deleted"] is True
    assert "secret" not in str(caught.value.facts)
    assert "hidden" not in str(caught.value.facts)
    assert (await store.commit(put(PROD, "a", 3), base_revision=2)).revision == 3


async def test_there_must_be_something_to_delete_or_unmask(store: Store) -> None:
    await store.commit(put(PROD, "value", 1), put(PROD, "gone", 1))
    await store.commit(delete(PROD, "gone"))
    with pytest.raises(InvalidError) as caught:
        await store.commit(
            put(PROD, "fine", 1), delete(PROD, "never"), delete(PROD, "gone"), unmask(PROD, "value"), unmask(PROD, "x")
        )
    assert [each.pointer for each in caught.value.violations] == [f"/operations/{each}/key" for each in (1, 2, 3, 4)]


async def test_one_key_cannot_be_written_twice_by_one_change(store: Store) -> None:
    with pytest.raises(InvalidError) as caught:
        await store.commit(put(PROD, "a", 1), put(STAGING, "a", 1), put(PROD, "a", 2))
    assert [each.pointer for each in caught.value.violations] == ["/operations/2/key"]


@pytest.mark.parametrize("key", ["", "a/b", "-a", "x" * 256, "ключ", "a\0b"])
async def test_what_is_no_key_is_refused_here_too(store: Store, key: str) -> None:
    with pytest.raises(InvalidError) as caught:
        await store.commit(put(PROD, "fine", 1), put(PROD, key, "x"))
    assert [each.pointer for each in caught.value.violations] == ["/operations/1/key"]


async def test_a_nul_character_is_refused_and_a_backslash_before_u0000_is_not(store: Store) -> None:
    with pytest.raises(InvalidError) as caught:
        await store.commit(put(PROD, "fine", "\\u0000"), put(PROD, "bad", {"x": ["a\0"]}))
    assert [each.pointer for each in caught.value.violations] == ["/operations/1/value"]
    with pytest.raises(InvalidError):
        await store.commit(put(PROD, "fine", 1), message="\0")
    done = await store.commit(put(PROD, "fine", "\\u0000"))
    assert (await store.configs.get(done.applied[0].id)).value == b'"\\\\u0000"'


async def test_a_refused_change_uses_no_revision(store: Store) -> None:
    await store.commit(put(PROD, "a", 1))
    with pytest.raises(InvalidError):
        await store.commit(put(PROD, "b", 1), delete(PROD, "x"))
    assert (await store.commit(put(PROD, "a", 1))).revision == 2


async def test_a_dry_run_tells_what_would_happen_and_leaves_nothing(store: Store) -> None:
    await store.commit(put(PROD, "a", 1))
    tried = await store.commit(put(PROD, "a", 2), idempotency_key="k", request_hash=b"h", dry_run=True)
    assert tried.dry_run
    assert (tried.revision, tried.applied[0].version, tried.messages[0].previous) == (2, 2, 1)
    assert await store.changes.revision() == 1
    assert await store.changes.messages_after(1, 10) == []
    done = await store.commit(put(PROD, "a", 2), idempotency_key="k", request_hash=b"h")
    assert not done.replayed
    assert done.messages[0].digest == tried.messages[0].digest


async def test_the_same_request_again_gets_the_first_ones_result(store: Store) -> None:
    first = await store.commit(put(PROD, "a", 1), idempotency_key="k", request_hash=b"h")
    again = await store.commit(put(PROD, "a", 1), idempotency_key="k", request_hash=b"h")
    assert again.replayed
    assert not again.messages
    assert (again.revision, again.applied, again.committed_at) == (first.revision, first.applied, first.committed_at)
    assert await store.changes.revision() == 1
    with pytest.raises(KeyReusedError):
        await store.commit(put(PROD, "a", 2), idempotency_key="k", request_hash=b"other")
    assert not (
        await store.commit(put(PROD, "a", 2), idempotency_key="k", request_hash=b"other", by=Attribution("otto"))
    ).replayed


async def test_the_same_request_many_times_at_once_is_committed_once(store: Store) -> None:
    results = []

    async def send() -> None:
        results.append(await store.commit(put(PROD, "a", 1), idempotency_key="k", request_hash=b"h"))

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(send)
    assert sorted(each.replayed for each in results) == [False] + [True] * 7
    assert await store.changes.revision() == 1


async def test_sensitivity_stays_until_it_is_taken_away(store: Store) -> None:
    await store.commit(put(PROD, "s", "one", sensitive=True))
    kept = await store.commit(put(PROD, "s", "two"))
    (message,) = kept.messages
    assert message.withholds_values
    assert b"two" not in message.encode()
    assert await store.changes.messages_after(1, 1) == [message]
    masked = await store.commit(mask(PROD, "s"))
    assert not masked.messages[0].withholds_values
    assert (await store.commit(put(PROD, "s", "three"))).messages[0].withholds_values
    assert not (await store.commit(put(PROD, "s", "four", sensitive=False))).messages[0].withholds_values


async def test_changes_are_listed_newest_first_page_by_page(store: Store) -> None:
    await store.commit(put(GLOBAL, "a", 1), message="one", by=Attribution("olga", source=Source.CLI))
    await store.commit(put(PROD, "a", 1), put(STAGING, "a", 1), message="two")
    await store.commit(put(BILLING, "a", 1), message="three")
    first = await store.changes.list_changes(app_id=None, limit=2, cursor=None)
    rest = await store.changes.list_changes(app_id=None, limit=2, cursor=first.next_cursor)
    assert [each.message for each in (*first.items, *rest.items)] == ["three", "two", "one"]
    assert rest.next_cursor is None
    assert (rest.items[0].source, rest.items[0].author) == (Source.CLI, "olga")
    of_billing = await store.changes.list_changes(app_id="billing", limit=5, cursor=None)
    assert [each.revision for each in of_billing.items] == [3, 2]
    assert of_billing.items[1].scopes == (PROD, STAGING)
    assert await store.changes.get_change(2) == of_billing.items[1]
    assert [each.op for each in of_billing.items[1].applied] == [Op.PUT, Op.PUT]
    with pytest.raises(NotFoundError):
        await store.changes.get_change(4)
    with pytest.raises(NotFoundError):
        await store.changes.get_change(10**30)


@pytest.mark.parametrize("cursor", ["?", "", "bm9wZQ", "WyJhIl0", "WzEsMl0", "é"])
async def test_a_foreign_cursor_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(InvalidError) as caught:
        await store.changes.list_changes(app_id=None, limit=2, cursor=cursor)
    assert caught.value.violations[0].pointer == "?cursor"


async def test_five_hundred_operations_are_one_change(store: Store) -> None:
    done = await store.commit(*(put(PROD, f"k{each}", each) for each in range(500)))
    assert len(done.applied) == 500
    assert await store.changes.messages_after(0, 1) == list(done.messages)


async def test_every_act_is_in_one_unbroken_audit_chain_without_secrets(store: Store) -> None:
    await store.commit(put(PROD, "s", "hunter2", sensitive=True), put(PROD, "a", 1), by=Attribution("olga", "10.0.0.7"))
    await store.commit(put(PROD, "s", "hunter3"), put(PROD, "a", 2))
    records = await store.pool.fetch("select * from audit_logs order by seq")
    assert [each["action"] for each in records] == [
        "app.created",
        "environment.created",
        "environment.created",
        "change.committed",
        "change.committed",
    ]
    assert "hunter" not in str([dict(each) for each in records])
    assert '"before": {"kind": "value", "value": 1, "sensitive": false}' in records[4]["detail"]
    assert records[3]["address"] == "10.0.0.7"
    assert await store.pool.fetchval("select trimtab_audit_broken_at()") is None


async def test_what_is_append_only_cannot_be_altered_and_an_altered_chain_is_noticed(store: Store) -> None:
    await store.commit(put(PROD, "a", 1))
    for statement in ("update audit_logs set actor = 'eve'", "delete from audit_logs", "truncate config_versions"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await store.pool.execute(statement)
    async with store.pool.acquire() as connection:
        await connection.execute("alter table audit_logs disable trigger all")
        await connection.execute("update audit_logs set detail = detail || '{\"x\": 1}' where seq = 2")
        assert await connection.fetchval("select trimtab_audit_broken_at()") == 2
        await connection.execute("delete from audit_logs where seq >= 2")
        assert await connection.fetchval("select trimtab_audit_broken_at()") == 4

"""Applications, environments and tokens, against a real PostgreSQL."""

from collections.abc import AsyncIterator

import anyio
import pytest

from control_plane.domain.access.token import token_hash
from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import ConflictError, InvalidError, NotFoundError
from control_plane.postgres.probe import PostgresProbe
from tests.store import GLOBAL, OLGA, STAGING, Store, open_store, put


@pytest.fixture
async def store(migrated_url: str) -> AsyncIterator[Store]:
    async with open_store(migrated_url) as opened:
        yield opened


async def test_an_application_is_registered_once_and_its_environments_too(store: Store) -> None:
    made = await store.registry.create_app("billing", "Bills", OLGA)
    assert (made.app_id, made.description, made.environments) == ("billing", "Bills", ())
    await store.registry.create_environment("billing", "staging", OLGA)
    grown = await store.registry.create_environment("billing", "prod", OLGA)
    assert grown.environments == ("prod", "staging")
    assert await store.registry.get_app("billing") == grown
    with pytest.raises(ConflictError):
        await store.registry.create_app("billing", "", OLGA)
    with pytest.raises(ConflictError):
        await store.registry.create_environment("billing", "prod", OLGA)
    with pytest.raises(NotFoundError):
        await store.registry.create_environment("nope", "prod", OLGA)
    with pytest.raises(NotFoundError):
        await store.registry.get_app("nope")


async def test_what_cannot_be_stored_is_invalid(store: Store) -> None:
    with pytest.raises(InvalidError):
        await store.registry.create_app("billing", "a\0b", OLGA)
    with pytest.raises(InvalidError):
        await store.registry.create_app("No Name", "", OLGA)


async def test_applications_are_listed_by_name_page_by_page(store: Store) -> None:
    for name in ("c", "a", "b"):
        await store.registry.create_app(name, "", OLGA)
    first = await store.registry.list_apps(limit=2, cursor=None)
    rest = await store.registry.list_apps(limit=2, cursor=first.next_cursor)
    assert [each.app_id for each in (*first.items, *rest.items)] == ["a", "b", "c"]
    assert rest.next_cursor is None


async def test_pairs_that_changed_last_come_first(store: Store) -> None:
    await store.registry.create_app("billing", "", OLGA)
    for name in ("dev", "prod", "staging"):
        await store.registry.create_environment("billing", name, OLGA)
    await store.commit(put(STAGING, "a", 1))
    await store.commit(put(GLOBAL, "a", 1))
    assert await store.registry.environments(2) == [("billing", "staging"), ("billing", "dev")]


async def test_concurrent_writers_keep_one_audit_chain(store: Store) -> None:
    async with anyio.create_task_group() as group:
        for index in range(10):
            group.start_soon(store.registry.create_app, f"app-{index}", "", OLGA)
            group.start_soon(store.commit, put(GLOBAL, f"k{index}", index))
    assert await store.pool.fetchval("select count(*) from audit_logs") == 20
    assert await store.pool.fetchval("select trimtab_audit_broken_at()") is None


async def test_ensuring_the_same_operator_again_is_no_new_record(store: Store) -> None:
    for token in ("old", "new", "new", "old"):
        await store.credentials.ensure_operator(token_hash(token), OLGA)
    assert await store.pool.fetchval("select count(*) from audit_logs") == 3


async def test_every_act_says_who_did_it_from_where_and_in_which_request(store: Store) -> None:
    otto = Attribution("otto", "2001:db8::1", "req-2")
    await store.credentials.ensure_operator(token_hash("x"), Attribution("system", "host-1"))
    await store.registry.create_app("billing", "Bills", OLGA)
    await store.registry.create_environment("billing", "prod", otto)
    made = await store.credentials.create_agent_token("billing", "prod", token_hash("y"), "node 1", OLGA)
    await store.credentials.revoke_agent_token("billing", "prod", made.id, otto)
    records = await store.pool.fetch("select actor, address, request_id, action from audit_logs order by seq")
    assert [tuple(each) for each in records] == [
        ("system", "host-1", "", "operator.ensured"),
        ("olga", "192.0.2.7", "req-1", "app.created"),
        ("otto", "2001:db8::1", "req-2", "environment.created"),
        ("olga", "192.0.2.7", "req-1", "agent-token.created"),
        ("otto", "2001:db8::1", "req-2", "agent-token.revoked"),
    ]
    assert made.created_by == "olga"
    assert await store.pool.fetchval("select trimtab_audit_broken_at()") is None


async def test_the_probe_finds_the_database(store: Store) -> None:
    state = await PostgresProbe(store.pool).probe()
    assert (state.name, state.ok, state.required) == ("postgresql", True, True)

"""Reading entries back, against a real PostgreSQL."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from agent.snapshot.model import Snapshot
from control_plane.domain.change import Op
from control_plane.domain.errors import InvalidError, NotFoundError
from control_plane.ports.configs import ConfigFilter
from shared.domain.entry import Kind
from shared.domain.scope import Revisions
from tests.store import BILLING, GLOBAL, PROD, STAGING, Store, billing_store, delete, digests_of, mask, put


@pytest.fixture
async def store(migrated_url: str) -> AsyncIterator[Store]:
    async with billing_store(migrated_url) as opened:
        yield opened


@pytest.fixture
async def filled(store: Store) -> Store:
    await store.commit(
        put(GLOBAL, "log.level", "info", description="How much is said"),
        put(BILLING, "log.level", "Warn"),
        put(PROD, "log.level", "error"),
        put(PROD, "db_pool", {"size": 20}),
        put(PROD, "db.password", "hunter2", sensitive=True),
        mask(STAGING, "log.level"),
        put(STAGING, "old", 1),
    )
    await store.commit(delete(STAGING, "old"))
    return store


async def _found(store: Store, **where: object) -> list[str]:
    page = await store.configs.list(ConfigFilter(**where), limit=50, cursor=None)  # type: ignore[arg-type]
    assert page.next_cursor is None
    return [f"{each.scope}:{each.key}" for each in page.items]


async def test_a_config_is_found_by_id_and_keeps_its_secret(filled: Store) -> None:
    page = await filled.configs.list(ConfigFilter(prefix="db"), limit=5, cursor=None)
    secret, pool = page.items
    assert (secret.key, secret.value, secret.sensitive) == ("db.password", b"", True)
    assert (pool.key, pool.value, pool.version, pool.updated_by) == ("db_pool", b'{"size":20}', 1, "olga")
    assert await filled.configs.get(pool.id) == pool
    with pytest.raises(NotFoundError):
        await filled.configs.get(uuid4())


async def test_every_filter_narrows(filled: Store) -> None:
    assert await _found(filled) == [
        "global:log.level",
        "app.billing:log.level",
        "env.billing.prod:db.password",
        "env.billing.prod:db_pool",
        "env.billing.prod:log.level",
        "env.billing.staging:log.level",
    ]
    assert await _found(filled, app_id="") == ["global:log.level"]
    assert await _found(filled, app_id="billing", environment="staging") == ["env.billing.staging:log.level"]
    assert await _found(filled, scope="app") == ["app.billing:log.level"]
    assert await _found(filled, scope="env.billing.staging") == ["env.billing.staging:log.level"]
    assert await _found(filled, scope="app.billing", app_id="other") == []
    assert await _found(filled, prefix="db_") == ["env.billing.prod:db_pool"]
    assert await _found(filled, prefix="%") == []
    assert await _found(filled, text="WARN") == ["app.billing:log.level"]
    assert await _found(filled, text="how MUCH") == ["global:log.level"]
    assert await _found(filled, text="hunter2") == []
    assert "env.billing.staging:old" in await _found(filled, include_deleted=True)
    with pytest.raises(InvalidError) as caught:
        await _found(filled, scope="nonsense")
    assert caught.value.violations[0].pointer == "?scope"


async def test_pages_join_to_the_whole_list(filled: Store) -> None:
    whole = await filled.configs.list(ConfigFilter(), limit=50, cursor=None)
    items, cursor = [], None
    while True:
        page = await filled.configs.list(ConfigFilter(), limit=2, cursor=cursor)
        items.extend(page.items)
        if (cursor := page.next_cursor) is None:
            break
    assert tuple(items) == whole.items
    for foreign in ("x", "WzFd"):
        with pytest.raises(InvalidError):
            await filled.configs.list(ConfigFilter(), limit=2, cursor=foreign)


async def test_versions_are_listed_newest_first_with_the_change_that_made_them(store: Store) -> None:
    first = await store.commit(put(PROD, "a", 1), message="make", author="otto")
    await store.commit(mask(PROD, "a"), message="hide")
    await store.commit(put(PROD, "a", "secret", sensitive=True))
    await store.commit(delete(PROD, "a"))
    config_id = first.applied[0].id
    page = await store.configs.versions(config_id, limit=3, cursor=None)
    rest = await store.configs.versions(config_id, limit=3, cursor=page.next_cursor)
    versions = [*page.items, *rest.items]
    assert [each.version for each in versions] == [4, 3, 2, 1]
    assert [each.op for each in versions] == [Op.DELETE, Op.PUT, Op.MASK, Op.PUT]
    assert [each.value for each in versions] == [b"", b"", b"", b"1"]
    assert versions[2].kind is Kind.MASK
    assert (versions[3].author, versions[3].message, versions[3].revision) == ("otto", "make", 1)
    with pytest.raises(NotFoundError):
        await store.configs.versions(uuid4(), limit=3, cursor=None)


async def test_a_whole_snapshot_holds_the_live_entries_of_three_scopes_secrets_included(filled: Store) -> None:
    document = await filled.configs.snapshot("billing", "prod", None)
    assert document.full
    assert document.revisions == Revisions(1, 1, 1)
    assert [(each.level, each.key) for each in document.items] == [
        ("global", "log.level"),
        ("app", "log.level"),
        ("environment", "db.password"),
        ("environment", "db_pool"),
        ("environment", "log.level"),
    ]
    entry = document.items[2].entry
    assert entry is not None
    assert (entry.value, entry.sensitive) == (b'"hunter2"', True)
    assert digests_of(Snapshot.empty("billing", "prod").after(document)) == document.digests


async def test_a_delta_holds_what_changed_and_tombstones(filled: Store) -> None:
    document = await filled.configs.snapshot("billing", "staging", Revisions(1, 1, 1))
    assert not document.full
    assert [(each.key, each.entry, each.version) for each in document.items] == [("old", None, 2)]
    current = await filled.configs.snapshot("billing", "staging", document.revisions)
    assert not current.full
    assert current.items == ()


async def test_revisions_from_the_future_get_the_whole_snapshot(filled: Store) -> None:
    document = await filled.configs.snapshot("billing", "prod", Revisions(1, 9, 1))
    assert document.full
    assert document.revisions == Revisions(1, 1, 1)


async def test_an_untouched_environment_has_an_empty_snapshot_and_an_unknown_one_has_none(store: Store) -> None:
    document = await store.configs.snapshot("billing", "prod", None)
    assert (document.revisions, document.digests, document.items) == (Revisions(), (0, 0, 0), ())
    for app_id, environment, name in (("billing", "nope", "billing/nope"), ("nope", "prod", "nope")):
        with pytest.raises(NotFoundError) as caught:
            await store.configs.snapshot(app_id, environment, None)
        assert caught.value.name == name

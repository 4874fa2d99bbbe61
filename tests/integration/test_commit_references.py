"""The commit itself refuses what refers to others, or is referred to, unless somebody looked, and that still holds."""

from collections.abc import AsyncIterator
from contextlib import suppress

import anyio
import pytest

from control_plane.domain.change import Operation
from control_plane.domain.errors import ReferencesUncheckedError, ValuesMovedError
from control_plane.domain.link_view import Node
from control_plane.postgres.rules import PostgresRules
from shared.domain.entry import Kind
from shared.domain.scope import Scope
from tests.rig.seals import seals_over
from tests.store import BILLING, GLOBAL, PROD, STAGING, Store, billing_store, delete, mask, put, unmask

_FLAG = {"variants": {"a": True}, "default": "a"}


@pytest.fixture
async def store(migrated_url: str) -> AsyncIterator[Store]:
    async with billing_store(migrated_url) as store:
        yield store


def flag(scope: Scope, key: str, *refs: str) -> Operation:
    return put(scope, key, _FLAG, kind=Kind.FLAG, refs=refs)


async def test_what_refers_to_others_is_committed_only_if_that_was_looked_at(store: Store) -> None:
    await store.commit(put(PROD, "k", True))
    with pytest.raises(ReferencesUncheckedError):
        await store.commit(flag(PROD, "f", "k"))
    assert (await store.commit(flag(PROD, "f", "k"), checked_revision=1, linked=("f", "k"))).revision == 2


async def test_what_others_refer_to_or_hides_such_a_thing_needs_a_look_before_it_changes_its_meaning(
    store: Store,
) -> None:
    await store.commit(put(GLOBAL, "k", True), put(PROD, "other", 1))
    await store.commit(flag(BILLING, "f", "k", "segment:s"), linked=())
    await store.commit(put(PROD, "f", 1), put(STAGING, "k", 2), linked=())
    for operation in (
        delete(GLOBAL, "k"),
        mask(PROD, "k"),
        put(GLOBAL, "k", {}, kind=Kind.SEGMENT),
        put(PROD, "s", 1),
        delete(PROD, "f"),
        mask(STAGING, "f"),
        delete(BILLING, "f"),
    ):
        with pytest.raises(ReferencesUncheckedError):
            await store.commit(operation)
    assert (await store.commit(put(GLOBAL, "k", 2), put(STAGING, "k", _FLAG, kind=Kind.FLAG))).revision == 4
    await store.commit(delete(PROD, "other"))
    await store.commit(mask(PROD, "other"))
    await store.commit(unmask(PROD, "other"))


async def test_what_was_looked_at_must_not_have_moved(store: Store) -> None:
    await store.commit(put(PROD, "a", True), put(PROD, "b", True), put(PROD, "c", True))
    await store.commit(flag(STAGING, "b", "x"), linked=())
    with pytest.raises(ValuesMovedError):
        await store.commit(flag(PROD, "a", "b"), checked_revision=1, linked=("a", "b"))
    await store.commit(flag(PROD, "a", "b"), checked_revision=2, linked=("a", "b"))
    with pytest.raises(ValuesMovedError):
        await store.commit(delete(PROD, "b"), checked_revision=2, linked=("b",))
    await store.commit(flag(PROD, "a"), checked_revision=3, linked=("a", "b"))
    await store.commit(delete(PROD, "b"), checked_revision=4, linked=("b",))


async def test_of_drafts_that_are_committed_together_each_sees_what_the_other_refers_to(store: Store) -> None:
    await store.commit(put(PROD, "a", True), put(PROD, "b", True))
    done: list[str] = []

    async def write(key: str, ref: str) -> None:
        with suppress(ValuesMovedError):
            await store.commit(flag(PROD, key, ref), checked_revision=1, linked=("a", "b"))
            done.append(key)

    async with anyio.create_task_group() as group:
        group.start_soon(store.commit, *(put(STAGING, f"x{index}", index) for index in range(400)))  # the others wait
        for key, ref in (("a", "b"), ("b", "a")) * 10:
            group.start_soon(write, key, ref)
    assert len(done) == 1


async def test_what_is_around_a_key_is_found_in_both_directions(store: Store) -> None:
    await store.commit(
        flag(BILLING, "a", "b"), flag(BILLING, "b", "segment:s"), put(GLOBAL, "s", {}, kind=Kind.SEGMENT),
        flag(PROD, "top", "a"), flag(STAGING, "over", "top"), put(BILLING, "else", 1), mask(STAGING, "a"), linked=(),
    )  # fmt: skip
    revision, nodes = await PostgresRules(store.pool, seals_over(store.pool)).links(["a"], ["else"], ["billing"])
    assert revision == 1
    assert nodes == {
        "a": {BILLING: Node("flag", ("b",)), STAGING: Node("mask")},
        "b": {BILLING: Node("flag", ("segment:s",))},
        "s": {GLOBAL: Node("segment")},
        "top": {PROD: Node("flag", ("a",))},
        "over": {STAGING: Node("flag", ("top",))},
        "else": {BILLING: Node("value")},
    }
    assert (await PostgresRules(store.pool, seals_over(store.pool)).links(["none"], [], None))[1] == {}

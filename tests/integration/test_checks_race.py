"""What is checked before a commit holds when it is committed, however many write at the same time."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from control_plane.domain.change import Draft
from control_plane.domain.errors import GuardedError, TrimtabError, UnfitError, ValuesMovedError
from control_plane.domain.guards import Guard, Mode
from shared.domain.scope import Scope
from tests.rig.api import Api, serving_api
from tests.store import BILLING, GLOBAL, OLGA, PROD, STAGING, Store, billing_store, delete, put


@pytest.fixture
async def store(migrated_url: str) -> AsyncIterator[Store]:
    async with billing_store(migrated_url) as store:
        yield store


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as api:
        await api.register("billing", "prod")
        await api.register("billing", "staging")
        yield api


def _watched(scope: Scope, key: str, value: Any) -> Any:
    return put(scope, key, value, type_change=Mode.REFUSE, key_reuse=Mode.REFUSE)


async def test_a_draft_is_refused_if_a_key_of_it_moved_in_any_scope_since_it_was_checked(store: Store) -> None:
    await store.commit(put(GLOBAL, "k", 1))
    await store.commit(put(GLOBAL, "other", 1))
    await store.commit(put(PROD, "k", 2), checked_revision=2)
    with pytest.raises(ValuesMovedError):
        await store.commit(put(STAGING, "k", 3), checked_revision=2)
    assert (await store.commit(put(STAGING, "k", 3), checked_revision=3)).revision == 4


async def test_drafts_that_are_committed_together_see_each_other(store: Store) -> None:
    """Of many that put the same key in different scopes at once, none overlooks the one before."""
    outcomes: list[str] = []

    async def write(scope: Scope, value: Any) -> None:
        try:
            await store.commit(_watched(scope, "k", value), checked_revision=0)
            outcomes.append("done")
        except (ValuesMovedError, GuardedError) as error:
            outcomes.append(type(error).__name__)

    async with anyio.create_task_group() as group:
        for scope, value in ((GLOBAL, 1), (BILLING, 2), (PROD, 3), (STAGING, 4)) * 5:
            group.start_soon(write, scope, value)
    assert outcomes.count("done") == 1


async def test_types_are_compared_with_what_was_committed_a_moment_before(store: Store) -> None:
    refused: list[tuple[Guard, ...]] = []

    async def write(scope: Scope, value: Any) -> None:
        try:
            await store.commit(_watched(scope, "k", value))
        except GuardedError as error:
            refused.append(tuple(each.guard for each in error.hits))

    async with anyio.create_task_group() as group:
        group.start_soon(write, GLOBAL, 1)
        for _ in range(10):
            group.start_soon(write, PROD, "text")
    assert refused == [(Guard.TYPE_CHANGE,)] * 10


async def test_a_forced_draft_tells_what_it_overrode(store: Store) -> None:
    await store.commit(put(PROD, "k", 1))
    await store.commit(delete(PROD, "k"))
    with pytest.raises(GuardedError) as refused:
        await store.commit(_watched(PROD, "k", "x"))
    assert [each.guard for each in refused.value.hits] == [Guard.KEY_REUSE]
    tried = await store.commit(put(PROD, "k", "x", key_reuse=Mode.WARN))
    assert [(each.guard, each.mode) for each in tried.hits] == [(Guard.KEY_REUSE, Mode.WARN)]


async def test_no_two_writers_together_make_what_neither_may(api: Api) -> None:
    """Each of them takes away what hides an invalid value from one environment; one of two is always left."""
    await api.post("/schemas", {"pattern": "k", "schema": {"maximum": 10}})
    place = {"app_id": "billing", "key": "k"}
    hidden = [{"op": "put", **place, "environment": each, "value": 1} for each in ("prod", "staging")]
    for _ in range(5):
        await api.post("/changes", {"operations": hidden})
        statuses: list[int] = []

        async def send(operation: Any, statuses: list[int] = statuses) -> None:
            answer = await api.post("/changes", {"operations": [operation]})
            statuses.append(answer.status)

        async with anyio.create_task_group() as group:
            group.start_soon(send, {"op": "put", **place, "value": 99})
            group.start_soon(send, {"op": "delete", **place, "environment": "prod"})
            group.start_soon(send, {"op": "delete", **place, "environment": "staging"})
        assert max(statuses) == 422
        for environment in ("prod", "staging"):
            seen = await api.post("/configs/fetch", {"app_id": "billing", "environment": environment})
            assert seen.document["configs"].get("k", {"value": 0})["value"] <= 10
        await api.post("/changes", {"operations": [{"op": "put", **place, "value": 1}]})


async def test_a_schema_and_the_values_that_it_is_about_are_never_at_odds(api: Api) -> None:
    """While one writes values and another makes schemas, whatever is kept of both fits together."""
    for round_ in range(5):
        key = f"k{round_}"
        answers: list[tuple[str, int]] = []

        async def write(key: str = key, answers: list[tuple[str, int]] = answers) -> None:
            for value in (1, 20, 2, 30):
                operation = {"op": "put", "app_id": "billing", "key": key, "value": value}
                answers.append(("value", (await api.post("/changes", {"operations": [operation]})).status))

        async def rule(key: str = key, answers: list[tuple[str, int]] = answers) -> None:
            made = await api.post("/schemas", {"pattern": key, "schema": {"maximum": 10}})
            answers.append(("schema", made.status))

        async with anyio.create_task_group() as group:
            group.start_soon(write)
            group.start_soon(rule)
        kept = ("schema", 201) in answers
        seen = await api.post("/configs/fetch", {"app_id": "billing", "environment": "prod"})
        assert not kept or seen.document["configs"][key]["value"] <= 10
        assert {status for _, status in answers} <= {201, 422}


async def test_an_ordinary_write_reads_nothing_before_it_is_committed(api: Api) -> None:
    """The first change reads the rules; after that, one statement is all, whatever schemas there are for other keys."""
    await api.post("/schemas", {"pattern": "watched", "schema": True})
    publishing = api.services.publishing
    await publishing.commit(Draft((put(PROD, "a", 1),), OLGA))
    book = publishing._checks._book

    async def forbidden(*_: object) -> Any:
        raise AssertionError

    book.stand = book.sizes = book.rules = forbidden  # type: ignore[method-assign, assignment]
    for key in ("a", "b", "c"):
        await publishing.commit(Draft((put(PROD, key, 2),), OLGA))
    with pytest.raises(AssertionError):
        await publishing.commit(Draft((put(PROD, "watched", 2),), OLGA))


async def test_who_is_refused_leaves_nothing_behind(api: Api) -> None:
    await api.post("/schemas", {"pattern": "k", "schema": {"maximum": 10}})
    before = await api.services.changes.heads()
    with pytest.raises(UnfitError):
        await api.services.publishing.commit(Draft((put(PROD, "a", 1), put(PROD, "k", 11)), OLGA))
    with pytest.raises(TrimtabError):
        await api.services.publishing.commit(Draft((put(PROD, "a", 1), delete(PROD, "never")), OLGA))
    assert await api.services.changes.heads() == before

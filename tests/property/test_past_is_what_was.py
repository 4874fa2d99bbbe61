"""Whatever was committed: the past is what a model held then, and undoing leads back to it."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_plane.domain.change import Committed, Op, Operation
from control_plane.domain.errors import ConflictError, InvalidError
from control_plane.domain.history import Computed, PastEntry, When
from control_plane.domain.limits import Limits
from control_plane.postgres.history import PostgresHistory
from control_plane.postgres.named_snapshots import PostgresNamedSnapshots
from control_plane.services.comparing import Side
from control_plane.services.hindsight import Hindsight
from control_plane.services.restoring import RestoreMode
from shared.domain.codec import canonical
from shared.domain.entry import value_digest
from shared.domain.scope import Scope
from tests.rig.seals import seals_over
from tests.store import OLGA, Store, open_store

Step: TypeAlias = list[tuple[Op, str, str, int, bool | None]]
Seen: TypeAlias = dict[str, tuple[bytes, bool, Scope, int]]

_one_database = settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
_applications = itertools.count()
_ENVIRONMENTS = ("prod", "neighbour")
_steps = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from([Op.PUT, Op.PUT, *Op]),
            st.sampled_from(["global", "app", "prod", "neighbour"]),
            st.sampled_from(["a", "b", "C.d-e"]),
            st.integers(0, 3),
            st.sampled_from([None, None, None, True, False]),
        ),
        min_size=1,
        max_size=5,
        unique_by=lambda each: (each[1], each[2]),
    ),
    min_size=1,
    max_size=9,
)


@dataclass(frozen=True, slots=True)
class Past:
    """What a model remembers of one moment."""

    committed: Committed
    seen: dict[str, Seen]


@pytest.fixture
async def store(migrated_url: str) -> AsyncIterator[Store]:
    async with open_store(migrated_url) as opened:
        yield opened


def _hindsight(store: Store) -> Hindsight:
    history = PostgresHistory(store.pool, seals_over(store.pool))
    return Hindsight.over(
        history,
        history,
        changes=store.changes,
        configs=store.configs,
        registry=store.registry,
        named=PostgresNamedSnapshots(store.pool),
        limits=Limits(),
    )


async def _registered(store: Store) -> str:
    """An application in an installation whose global scope is as good as new."""
    app_id = f"app-{next(_applications)}"
    await store.registry.create_app(app_id, "", OLGA)
    for environment in _ENVIRONMENTS:
        await store.registry.create_environment(app_id, environment, OLGA)
    return app_id


async def _commit(store: Store, app_id: str, step: Step) -> Committed | None:
    scopes = {"global": Scope(), "app": Scope(app_id)} | {each: Scope(app_id, each) for each in _ENVIRONMENTS}
    operations = [
        Operation(op, scopes[where], key, canonical(value) if op is Op.PUT else b"", sensitive)
        for op, where, key, value, sensitive in step
    ]
    try:
        return await store.commit(*operations)
    except InvalidError:  # nothing there to delete or unmask
        return None


async def _now(store: Store, app_id: str) -> dict[str, Seen]:
    """What agents get now, by the way on which they get it."""
    return {each: await _snapshot(store, app_id, each) for each in _ENVIRONMENTS}


async def _snapshot(store: Store, app_id: str, environment: str) -> Seen:
    document = await store.configs.snapshot(app_id, environment, None)
    scopes = {"global": Scope(), "app": Scope(app_id), "environment": Scope(app_id, environment)}
    merged = {each.key: each for each in document.items if each.entry is not None}  # in the order of their levels
    return {
        key: (each.entry.value, each.entry.sensitive, scopes[each.level], each.entry.version)
        for key, each in sorted(merged.items())
        if each.entry is not None and each.entry.kind == "value"
    }


def _of(entries: dict[str, PastEntry]) -> Seen:
    return {key: (each.value, each.sensitive, each.scope, each.version) for key, each in entries.items()}


def _digests(seen: dict[str, Seen]) -> dict[str, dict[str, int]]:
    return {
        environment: {
            key: value_digest(value, sensitive=False) ^ sensitive for key, (value, sensitive, *_) in found.items()
        }
        for environment, found in seen.items()
    }


async def _lived(store: Store, app_id: str, steps: list[Step]) -> list[Past]:
    history = []
    for step in steps:
        committed = await _commit(store, app_id, step)
        if committed is not None:
            history.append(Past(committed, await _now(store, app_id)))
    return history


async def _carry_out(store: Store, computed: Computed) -> Committed:
    return await store.commit(*computed.operations, base_revision=computed.base_revision, reverts=computed.reverts)


@_one_database
@given(steps=_steps)
async def test_every_revision_and_instant_shows_what_was_seen_after_it(store: Store, steps: list[Step]) -> None:
    app_id = await _registered(store)
    looking_back = _hindsight(store).looking_back
    for past in await _lived(store, app_id, steps):
        committed = past.committed
        assert await looking_back.revision(When(at=committed.committed_at), "?") == committed.revision
        for environment in _ENVIRONMENTS:
            revision = committed.revision
            assert _of(await looking_back.everything(app_id, environment, revision)) == past.seen[environment]
            paged: list[PastEntry] = []
            after: str | None = ""
            while after is not None:
                page = await looking_back.page(app_id, environment, revision, prefix="", after=after, limit=1)
                paged, after = [*paged, *page.entries], page.following
            assert _of({each.key: each for each in paged}) == past.seen[environment]


@_one_database
@given(steps=_steps, change=_steps.map(lambda each: each[0]))
async def test_reverting_a_change_leaves_everybody_with_what_they_had(
    store: Store, steps: list[Step], change: Step
) -> None:
    app_id = await _registered(store)
    await _lived(store, app_id, steps)
    before = await _now(store, app_id)
    committed = await _commit(store, app_id, change)
    if committed is None:
        return
    after = await _now(store, app_id)
    undo = _hindsight(store).undo
    try:
        reverted = await _carry_out(store, await undo.revert(committed.revision))
    except ConflictError:  # it changed nothing, or not for anybody
        assert _digests(after) == _digests(before)
        return
    assert _digests(await _now(store, app_id)) == _digests(before)
    await _carry_out(store, await undo.revert(reverted.revision))
    assert _digests(await _now(store, app_id)) == _digests(after)


@_one_database
@given(steps=_steps, which=st.integers(0, 20))
async def test_restoring_leads_to_what_was_seen_by_the_fewest_operations(
    store: Store, steps: list[Step], which: int
) -> None:
    app_id = await _registered(store)
    history = await _lived(store, app_id, steps)
    if not history:
        return
    wanted = history[which % len(history)]
    now, then = _digests(history[-1].seen)["prod"], _digests(wanted.seen)["prod"]
    differing = {key for key in now.keys() | then.keys() if now.get(key) != then.get(key)}
    restoring = _hindsight(store).restoring
    try:
        computed = await restoring.restore(app_id, "prod", When(wanted.committed.revision), mode=RestoreMode.EFFECTIVE)
    except ConflictError:
        assert not differing
        return
    assert {each.key for each in computed.operations} == differing
    assert all(each.scope == Scope(app_id, "prod") for each in computed.operations)
    await _carry_out(store, computed)
    found = _digests(await _now(store, app_id))
    assert found["prod"] == then
    assert found["neighbour"] == _digests(history[-1].seen)["neighbour"]


@_one_database
@given(steps=_steps)
async def test_a_comparison_lists_just_the_keys_that_differ(store: Store, steps: list[Step]) -> None:
    app_id = await _registered(store)
    comparing = _hindsight(store).comparing
    sides = [Side(Scope(app_id, each), When()) for each in _ENVIRONMENTS]
    history = await _lived(store, app_id, steps)
    for earlier, later in itertools.pairwise(history):
        left, right = _digests(earlier.seen)["prod"], _digests(later.seen)["neighbour"]
        pairs, following = await comparing.page(
            (sides[0], sides[1]),
            (earlier.committed.revision, later.committed.revision),
            everything=False,
            prefix="",
            after="",
            limit=10,
        )
        differing = [key for key in sorted(left.keys() | right.keys()) if left.get(key) != right.get(key)]
        assert ([each.key for each in pairs], following) == (differing, None)


@_one_database
@given(steps=_steps)
async def test_a_rollback_puts_back_any_version(store: Store, steps: list[Step]) -> None:
    app_id = await _registered(store)
    history = await _lived(store, app_id, steps)
    undo, versions = _hindsight(store).undo, PostgresHistory(store.pool, seals_over(store.pool))
    for applied in {each.id: each for past in history for each in past.committed.applied}.values():
        wanted = await versions.version(applied.id, 1)
        try:
            computed = await undo.rollback(applied.id, 1)
        except ConflictError:
            continue
        done = await _carry_out(store, computed)
        found = await versions.version(applied.id, done.applied[0].version)
        assert replace(found, **_origin(wanted)) == wanted


def _origin(entry: PastEntry) -> dict[str, object]:
    return {
        name: getattr(entry, name) for name in ("version", "revision", "author", "message", "committed_at", "sensitive")
    }

"""Whatever is committed: every delta, and the messages, lead to exactly the whole snapshot."""

import itertools
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.snapshot.model import Snapshot
from control_plane.domain.change import Committed, Op, Operation
from control_plane.domain.errors import InvalidError, RolloutRunningError
from shared.domain.codec import Json, canonical
from shared.domain.entry import Entry
from shared.domain.scope import Level, Revisions, Scope
from tests.store import OLGA, Store, digests_of, open_store, put

_one_database = settings(
    max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
_applications = itertools.count()

_numbers = st.one_of(
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 1e16, -1e16, 1e300, 5e-324, 2.0**63, -(2.0**63), 2.0**64, 1e22, 0.1]),
)
_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
_values = st.recursive(
    st.one_of(st.none(), st.booleans(), _numbers, _text),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_text, inner, max_size=4)),
    max_leaves=12,
)
_steps = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(list(Op)),
            st.sampled_from(["global", "app", "environment", "neighbour"]),
            st.sampled_from(["a", "b", "C.d-e"]),
            _values,
            st.sampled_from([None, None, True, False]),
        ),
        min_size=1,
        max_size=4,
        unique_by=lambda each: (each[1], each[2]),
    ),
    min_size=1,
    max_size=8,
)


@pytest.fixture
async def store(migrated_url: str) -> AsyncIterator[Store]:
    async with open_store(migrated_url) as opened:
        yield opened


async def _registered(store: Store) -> str:
    app_id = f"app-{next(_applications)}"
    await store.registry.create_app(app_id, "", OLGA)
    await store.registry.create_environment(app_id, "prod", OLGA)
    await store.registry.create_environment(app_id, "neighbour", OLGA)
    return app_id


async def _whole(store: Store, app_id: str) -> Snapshot:
    return Snapshot.empty(app_id, "prod").after(await store.configs.snapshot(app_id, "prod", None))


def _without_secrets(snapshot: Snapshot) -> list[dict[str, tuple[object, ...]]]:
    def shown(entry: Entry) -> tuple[object, ...]:
        return entry.kind, b"" if entry.sensitive else entry.value + entry.rollout, entry.version, entry.sensitive

    return [{key: shown(entry) for key, entry in entries.items()} for entries in snapshot.scopes]


async def _commit(store: Store, app_id: str, step: list[tuple[Op, str, str, Json, bool | None]]) -> Committed | None:
    scopes = {
        "global": Scope(),
        "app": Scope(app_id),
        "environment": Scope(app_id, "prod"),
        "neighbour": Scope(app_id, "neighbour"),
    }
    operations = [
        Operation(
            op,
            scopes[where],
            key,
            canonical(value) if op in {Op.PUT, Op.ROLLOUT} else b"",
            sensitive,
            rollout=canonical({"id": "r", "candidate": value}) if op is Op.ROLLOUT else b"",
        )
        for op, where, key, value, sensitive in step
    ]
    before = await store.changes.revision()
    try:
        return await store.commit(*operations)
    except (
        InvalidError,
        RolloutRunningError,
    ):  # nothing there to delete, or a rollout: then nothing must have happened
        assert await store.changes.revision() == before
        return None


@_one_database
@given(steps=_steps)
async def test_every_delta_and_all_messages_lead_to_the_whole_snapshot(
    store: Store, steps: list[list[tuple[Op, str, str, Json, bool | None]]]
) -> None:
    app_id = await _registered(store)
    start = await store.changes.revision()
    history = [await _whole(store, app_id)]
    followed, sent = history[0], []
    for step in steps:
        done = await _commit(store, app_id, step)
        if done is None:
            continue
        sent.extend(done.messages)
        followed = followed.after_messages(each for each in done.messages if each.scope in followed.lineage)
        history.append(await _whole(store, app_id))
        assert followed.revisions == history[-1].revisions
        assert followed.digests == history[-1].digests
        assert _without_secrets(followed) == _without_secrets(history[-1])
    latest = history[-1]
    assert digests_of(latest) == latest.digests
    for earlier in history:
        assert earlier.after(await store.configs.snapshot(app_id, "prod", earlier.revisions)) == latest
    assert Snapshot.empty(app_id, "prod").after(await store.configs.snapshot(app_id, "prod", Revisions())) == latest
    assert await store.changes.messages_after(start, 1000) == sent
    assert await store.pool.fetchval("select trimtab_audit_broken_at()") is None


@_one_database
@given(value=_values)
async def test_a_value_comes_back_as_its_canonical_bytes_by_every_way(store: Store, value: Json) -> None:
    app_id = await _registered(store)
    done = await store.commit(put(Scope(app_id), "key", value))
    expected = canonical(value)
    assert (await store.configs.get(done.applied[0].id)).value == expected
    assert (await store.configs.versions(done.applied[0].id, limit=1, cursor=None)).items[0].value == expected
    assert (await store.changes.messages_after(done.revision - 1, 1)) == list(done.messages)
    snapshot = await _whole(store, app_id)
    assert snapshot.scopes[list(Level).index(Level.APP)]["key"].value == expected
    assert digests_of(snapshot) == snapshot.digests

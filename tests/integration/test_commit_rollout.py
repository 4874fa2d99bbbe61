"""A rollout and its config move in one transaction, each transition once."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from agent.snapshot.model import Snapshot
from control_plane.domain.change import Committed, Forced, Op, Operation
from control_plane.domain.errors import NotFoundError, RolloutRunningError, StaleRolloutError
from control_plane.domain.transition import StoredRollout, Transition
from control_plane.ports.rollouts import RolloutFilter
from shared.domain.codec import canonical, decode
from shared.domain.entry import Kind
from tests.store import OLGA, PROD, Store, billing_store, delete, digests_of, mask, put


@pytest.fixture
async def store(migrated_url: str) -> AsyncIterator[Store]:
    async with billing_store(migrated_url) as opened:
        yield opened


def transition(rollout: UUID, expected: int, action: str, phase: str, **more: object) -> Transition:
    return Transition(
        id=rollout,
        expected=expected,
        scope=PROD,
        key="pool",
        strategy="percentage",
        phase=phase,
        step=0,
        finished=phase in {"completed", "aborted"},
        action=action,
        document={"step": 0, "candidate": 2} | more,
        detail={"why": action},
    )


def expose(rollout: UUID, value: int = 1, **more: object) -> Operation:
    exposure = canonical({"id": str(rollout), "strategy": "percentage", "phase": "progressing", "candidate": 2})
    return Operation(Op.ROLLOUT, PROD, "pool", canonical(value), rollout=exposure, **more)  # type: ignore[arg-type]


async def started(store: Store) -> tuple[UUID, Committed]:
    rollout = uuid4()
    await store.commit(put(PROD, "pool", 1))
    done = await store.commit(
        expose(rollout, expected_version=1), transition=transition(rollout, 0, "started", "progressing")
    )
    return rollout, done


async def test_starting_a_rollout_exposes_its_candidate_and_stores_it_with_its_history(store: Store) -> None:
    rollout, done = await started(store)
    assert done.messages == tuple(await store.changes.messages_after(done.revision - 1, 1))
    snapshot = Snapshot.empty("billing", "prod").after(await store.configs.snapshot("billing", "prod", None))
    assert digests_of(snapshot) == snapshot.digests
    entry = snapshot.effective["pool"].entry
    assert (entry.value, decode(entry.rollout)["candidate"]) == (b"1", 2)
    kept = await store.rollouts.get(rollout)
    assert (kept.phase, kept.version, kept.revision, kept.finished_at) == ("progressing", 1, done.revision, None)
    [event] = (await store.rollouts.events(rollout, limit=10, cursor=None)).items
    assert (event.action, event.principal, event.revision, event.detail) == (
        "started",
        "olga",
        done.revision,
        {"why": "started"},
    )
    audited = decode(await store.pool.fetchval("select detail from audit_logs order by seq desc limit 1"))
    assert audited["rollout"]["action"] == "started"
    assert "document" not in audited["rollout"]
    assert await store.pool.fetchval("select trimtab_audit_broken_at()") is None


@pytest.mark.parametrize(
    "write", [put(PROD, "pool", 3), delete(PROD, "pool"), mask(PROD, "pool")], ids=lambda op: op.op
)
async def test_writing_a_config_under_a_rollout_is_refused_and_names_it(store: Store, write: Operation) -> None:
    rollout, done = await started(store)
    with pytest.raises(RolloutRunningError) as refused:
        await store.commit(write)
    [named] = refused.value.facts["rollouts"]
    assert (named["id"], named["key"], named["phase"]) == (str(rollout), "pool", "progressing")
    assert await store.changes.revision() == done.revision


async def test_a_second_rollout_of_the_same_config_is_refused_even_with_force(store: Store) -> None:
    rollout, _ = await started(store)
    other = uuid4()
    for forced in (None, Forced("because")):
        with pytest.raises(RolloutRunningError) as refused:
            await store.commit(expose(other), transition=transition(other, 0, "started", "progressing"), forced=forced)
        assert refused.value.facts["rollouts"][0]["id"] == str(rollout)
    with pytest.raises(NotFoundError):
        await store.rollouts.get(other)


async def test_a_forced_write_ends_the_rollout_that_it_writes_over(store: Store) -> None:
    rollout, _ = await started(store)
    done = await store.commit(put(PROD, "pool", 3), forced=Forced("now"))
    ended = await store.rollouts.get(rollout)
    assert (ended.phase, ended.document["outcome"], ended.revision) == ("aborted", "superseded", done.revision)
    assert ended.finished_at is not None
    assert (await store.rollouts.events(rollout, limit=1, cursor=None)).items[0].action == "superseded"
    assert (await store.commit(put(PROD, "pool", 4))).revision == done.revision + 1


async def test_a_transition_that_was_overtaken_changes_nothing(store: Store) -> None:
    rollout, done = await started(store)
    await store.commit(expose(rollout), transition=transition(rollout, 1, "paused", "paused"))
    with pytest.raises(StaleRolloutError):
        await store.commit(expose(rollout), transition=transition(rollout, 1, "advanced", "progressing"))
    assert (await store.rollouts.get(rollout)).phase == "paused"
    assert await store.changes.revision() == done.revision + 1


async def test_completing_puts_the_candidate_and_aborting_leaves_the_baseline(store: Store) -> None:
    rollout, _ = await started(store)
    await store.commit(put(PROD, "pool", 2), transition=transition(rollout, 1, "completed", "completed"))
    config = (await store.configs.snapshot("billing", "prod", None)).items[0].entry
    assert config is not None
    assert (config.value, config.rollout) == (b"2", b"")
    assert (await store.rollouts.get(rollout)).finished_at is not None
    assert not await store.rollouts.unfinished(10)


async def test_a_rollout_without_anything_below_it_is_an_entry_that_inherits(store: Store) -> None:
    rollout = uuid4()
    done = await store.commit(
        expose(rollout, expected_version=0, kind=Kind.INHERIT),
        transition=transition(rollout, 0, "started", "progressing"),
    )
    snapshot = Snapshot.empty("billing", "prod").after(await store.configs.snapshot("billing", "prod", None))
    assert digests_of(snapshot) == snapshot.digests
    assert (snapshot.effective["pool"].entry.kind, snapshot.effective["pool"].entry.value) == (Kind.INHERIT, b"")
    assert done.messages == tuple(await store.changes.messages_after(done.revision - 1, 1))
    await store.commit(delete(PROD, "pool"), transition=transition(rollout, 1, "aborted", "aborted"))
    assert (await store.rollouts.get(rollout)).phase == "aborted"


async def test_a_rollout_that_exposes_nothing_yet_is_stored_without_a_change(store: Store) -> None:
    rollout = uuid4()
    before = await store.changes.revision()
    await store.rollouts.store(transition(rollout, 0, "created", "pending"), OLGA)
    with pytest.raises(StaleRolloutError):
        await store.rollouts.store(transition(rollout, 0, "created", "pending"), OLGA)
    await store.rollouts.store(transition(rollout, 1, "approved", "pending", approvals=["mia"]), OLGA)
    assert await store.changes.revision() == before
    [kept] = await store.rollouts.unfinished(10)
    assert isinstance(kept, StoredRollout)
    assert await store.rollouts.unfinished(10, {rollout: 2}) == [rollout]
    assert await store.rollouts.unfinished(10, {rollout: 1}) == [kept]
    assert (kept.version, kept.document["approvals"], kept.revision) == (2, ["mia"], None)
    assert [each.id for each in (await store.rollouts.list(RolloutFilter(scope=PROD), limit=5, cursor=None)).items] == [
        rollout
    ]
    actions = await store.pool.fetch("select action from audit_logs where action like 'rollout.%' order by seq")
    assert [row[0] for row in actions] == ["rollout.created", "rollout.approved"]


async def test_of_measurements_only_the_newest_are_kept(store: Store) -> None:
    rollout, _ = await started(store)
    kept = await store.rollouts.get(rollout)
    for number in range(5):
        await store.rollouts.measured(kept, [{"number": number}], keep=3)
    events = (await store.rollouts.events(rollout, limit=10, cursor=None)).items
    assert [each.detail.get("number") for each in events if each.action == "measured"] == [4, 3, 2]
    assert events[-1].action == "started"


async def test_lists_of_rollouts_are_paged_and_narrowed(store: Store) -> None:
    made = [uuid4() for _ in range(5)]
    for each in made:
        await store.rollouts.store(transition(each, 0, "created", "pending"), OLGA)
    first = await store.rollouts.list(RolloutFilter(app_id="billing"), limit=3, cursor=None)
    rest = await store.rollouts.list(RolloutFilter(app_id="billing"), limit=3, cursor=first.next_cursor)
    assert [each.id for each in (*first.items, *rest.items)] == made[::-1]
    assert rest.next_cursor is None
    for nothing in (RolloutFilter(app_id="web"), RolloutFilter(phases=("paused",)), RolloutFilter(key="other")):
        assert not (await store.rollouts.list(nothing, limit=3, cursor=None)).items

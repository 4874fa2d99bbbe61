"""Readers see the applied snapshot through whatever lenses there are; the synchronizer never does."""

from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from shared.domain.scope import Revisions


def _snapshot(revision: int) -> Snapshot:
    return Snapshot("shop", "prod", Revisions(revision), ({}, {}, {}), (0, 0, 0), {})


def test_a_lens_changes_what_is_shown_and_not_what_is_applied() -> None:
    store, seen = SnapshotStore(_snapshot(0)), list[tuple[int, int]]()
    old = _snapshot(3)
    with store.subscribe(lambda before, after: seen.append((before.revision, after.revision))):
        store.swap(_snapshot(5))
        store.look_through("fallback", lambda _applied: old)
        assert (store.applied.revision, store.current.revision) == (5, 3)
        store.swap(_snapshot(6))
        assert (store.applied.revision, store.current.revision) == (6, 3)
        store.look_through("fallback", None)
        assert (store.applied.revision, store.current.revision) == (6, 6)
    assert seen == [(0, 5), (5, 3), (3, 3), (3, 6)]


def test_a_lens_that_fails_is_left_out_and_the_next_one_is_not() -> None:
    store, old = SnapshotStore(_snapshot(1)), _snapshot(0)

    def broken(_applied: Snapshot) -> Snapshot:
        raise ZeroDivisionError

    store.look_through("broken", broken)
    assert (store.current.revision, store.listener_errors) == (1, 1)
    store.look_through("old", lambda _applied: old)
    assert (store.current.revision, store.listener_errors) == (0, 2)

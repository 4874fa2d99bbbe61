from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from tests.fakes.control_plane import APP, ENVIRONMENT, LINEAGE, Model, Write


def test_a_listener_that_fails_does_not_disturb_the_others() -> None:
    model, store = Model(), SnapshotStore(Snapshot.empty(APP, ENVIRONMENT))
    seen: list[tuple[int, int]] = []

    def fail(_old: Snapshot, _new: Snapshot) -> None:
        raise RuntimeError

    with store.subscribe(fail), store.subscribe(lambda old, new: seen.append((old.revision, new.revision))):
        assert not store.ready
        store.swap(store.current.after_messages(model.commit(Write(LINEAGE.app, "a"))))
    assert (seen, store.listener_errors, store.ready) == ([(0, 1)], 1, True)


def test_a_listener_is_not_called_after_its_block() -> None:
    store, seen = SnapshotStore(Snapshot.empty(APP, ENVIRONMENT)), []
    with store.subscribe(lambda *_: seen.append(1)):
        pass
    store.swap(store.current)
    assert not seen

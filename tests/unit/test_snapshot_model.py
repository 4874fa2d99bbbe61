import pytest

from agent.snapshot.model import BehindError, DivergedError, RejectedError, Snapshot
from shared.wire.snapshot import SnapshotDocument
from tests.fakes.control_plane import APP, ENVIRONMENT, LINEAGE, Model, Write


@pytest.fixture
def model() -> Model:
    model = Model()
    model.commit(*(Write(scope, "key", str(at).encode()) for at, scope in enumerate(LINEAGE)))
    model.commit(Write(LINEAGE.app, "other"))
    return model


def test_a_delta_leads_to_the_same_as_the_whole(model: Model) -> None:
    empty = Snapshot.empty(APP, ENVIRONMENT)
    before = empty.after(model.document())
    model.commit(Write(LINEAGE.environment, "key", None), Write(LINEAGE.app, "other", b"7"))
    delta, whole = before.after(model.document(before.revisions)), empty.after(model.document())
    assert (delta.scopes, delta.digests, delta.effective) == (whole.scopes, whole.digests, whole.effective)
    assert delta.effective["key"].entry.value == b"1"


def test_what_a_snapshot_says_of_itself_leads_to_it(model: Model) -> None:
    snapshot = Snapshot.empty(APP, ENVIRONMENT).after(model.document())
    again = SnapshotDocument.decode(snapshot.document().encode())
    assert Snapshot.empty(APP, ENVIRONMENT).after(again) == snapshot


def test_an_older_document_is_refused(model: Model) -> None:
    old = model.document()
    model.commit(Write(LINEAGE.global_, "key"))
    snapshot = Snapshot.empty(APP, ENVIRONMENT).after(model.document())
    with pytest.raises(BehindError):
        snapshot.after(old)


def test_a_document_of_another_environment_is_refused(model: Model) -> None:
    with pytest.raises(RejectedError, match="ours is billing/staging"):
        Snapshot.empty(APP, "staging").after(model.document())


def test_a_delta_on_the_wrong_base_is_noticed(model: Model) -> None:
    delta = model.document(model.revisions()._replace(app=1))
    with pytest.raises(DivergedError):
        Snapshot.empty(APP, ENVIRONMENT).after(delta)


def test_readers_of_a_snapshot_see_it_unchanged_by_what_follows(model: Model) -> None:
    snapshot = Snapshot.empty(APP, ENVIRONMENT).after(model.document())
    seen = dict(snapshot.effective)
    snapshot.after_messages(model.commit(Write(LINEAGE.environment, "key", None)))
    assert snapshot.effective == seen

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from agent.snapshot.model import Snapshot
from agent.sync.assembly import Assembly, Need
from shared.domain.scope import Scope
from tests.fakes.control_plane import APP, ENVIRONMENT, LINEAGE, Model, Write

if TYPE_CHECKING:
    from shared.wire.messages import ChangeMessage

SCOPES = (*LINEAGE, Scope("other"), Scope(APP, "staging"))

writes = st.builds(
    Write,
    st.sampled_from(SCOPES),
    st.sampled_from(["a", "b", "c"]),
    st.one_of(st.none(), st.sampled_from([b"1", b"2", b'"x"'])),
)
changes = st.lists(st.lists(writes, min_size=1, max_size=4), min_size=1, max_size=12)


def take(assembly: Assembly, snapshot: Snapshot, model: Model) -> tuple[Snapshot, Need]:
    while (step := assembly.next(snapshot.revisions)).change:
        after = snapshot.after_messages(step.change)
        assert after.revisions.covers(snapshot.revisions)
        assert model.shows(after)
        snapshot = after
    return snapshot, step.need


@given(changes, st.data())
def test_any_loss_duplication_and_reordering_shows_only_whole_changes_and_never_goes_back(
    asked: list[list[Write]], data: st.DataObject
) -> None:
    model = Model()
    sent = [message for each in asked for message in model.commit(*each)]
    arriving = data.draw(st.lists(st.sampled_from(sent), max_size=2 * len(sent)))
    assembly, snapshot = Assembly(LINEAGE), Snapshot.empty(APP, ENVIRONMENT)
    for message in arriving:
        assembly.add(message, snapshot.revisions)
        snapshot, _ = take(assembly, snapshot, model)
    snapshot = snapshot.after(model.document(snapshot.revisions))
    snapshot, need = take(assembly, snapshot, model)
    assert (snapshot.revisions, snapshot.digests) == (model.revisions(), model.digests())
    assert need is Need.NOTHING
    assert len(assembly) == 0


@given(changes, st.randoms(use_true_random=False))
def test_all_messages_in_any_order_lead_to_the_end_without_a_fetch(asked: list[list[Write]], random: object) -> None:
    model = Model()
    sent: list[ChangeMessage] = [message for each in asked for message in model.commit(*each)]
    random.shuffle(sent)  # type: ignore[attr-defined]
    assembly, snapshot = Assembly(LINEAGE), Snapshot.empty(APP, ENVIRONMENT)
    for message in sent:
        assembly.add(message, snapshot.revisions)
        snapshot, _ = take(assembly, snapshot, model)
    assert (snapshot.revisions, snapshot.digests) == (model.revisions(), model.digests())


@given(changes, st.integers(1, 5))
def test_more_than_may_wait_is_a_gap_until_a_fetch(asked: list[list[Write]], bound: int) -> None:
    model = Model()
    sent = [message for each in asked for message in model.commit(*each)]
    ours = [each for each in sent if each.scope in LINEAGE]
    assembly, snapshot = Assembly(LINEAGE, max_messages=bound), Snapshot.empty(APP, ENVIRONMENT)
    for message in ours:
        assembly.add(message, snapshot.revisions)
    if len(ours) > bound:
        assert assembly.next(snapshot.revisions).need is Need.GAP
    snapshot = snapshot.after(model.document(None))
    snapshot, need = take(assembly, snapshot, model)
    assert need is Need.NOTHING
    assert snapshot.revisions == model.revisions()

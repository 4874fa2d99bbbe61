from agent.snapshot.model import Snapshot
from agent.sync.agreement import Agreement, compare
from agent.sync.assembly import Assembly, Need
from shared.domain.scope import Revisions, Scope
from shared.wire.messages import Heartbeat, ScopeState
from tests.fakes.control_plane import APP, ENVIRONMENT, LINEAGE, Model, Write

GLOBAL, OF_APP, OWN = LINEAGE


def test_a_message_that_follows_is_applied_and_a_repeated_one_dropped() -> None:
    (message,) = Model().commit(Write(OWN, "a"))
    assembly = Assembly(LINEAGE)
    assembly.add(message, Revisions())
    assert assembly.next(Revisions()).change == (message,)
    assembly.add(message, Revisions(environment=1))
    assert assembly.next(Revisions(environment=1)).change == ()
    assert len(assembly) == 0


def test_a_message_that_does_not_follow_is_a_gap() -> None:
    model, assembly = Model(), Assembly(LINEAGE)
    model.commit(Write(OWN, "a"))
    (second,) = model.commit(Write(OWN, "a", b"2"))
    assembly.add(second, Revisions())
    step = assembly.next(Revisions())
    assert (step.need, step.expected) == (Need.GAP, Revisions(0, 0, 2))


def test_a_change_over_scopes_waits_for_all_parts_that_concern_us() -> None:
    parts = Model().commit(Write(GLOBAL, "a"), Write(Scope("other"), "a"), Write(OWN, "a"))
    assembly = Assembly(LINEAGE)
    assembly.add(parts[0], Revisions())
    step = assembly.next(Revisions())
    assert (step.need, step.expected) == (Need.PARTS, Revisions(1, 0, 1))
    assembly.add(parts[1], Revisions())
    assembly.add(parts[2], Revisions())
    assert set(assembly.next(Revisions()).change) == {parts[0], parts[2]}


def test_a_later_change_does_not_overtake_one_that_waits_for_its_parts() -> None:
    model, assembly = Model(), Assembly(LINEAGE)
    parts = model.commit(Write(GLOBAL, "a"), Write(OF_APP, "a"))
    (later,) = model.commit(Write(OWN, "a"))
    assembly.add(parts[1], Revisions())
    assembly.add(later, Revisions())
    assert assembly.next(Revisions()).need is Need.PARTS


def test_a_sensitive_value_has_to_be_fetched() -> None:
    (message,) = Model().commit(Write(OWN, "a", b'"s"', sensitive=True))
    assembly = Assembly(LINEAGE)
    assembly.add(message, Revisions())
    assert assembly.next(Revisions()).need is Need.VALUES
    assert assembly.next(Revisions(environment=1)).need is Need.NOTHING


def test_too_many_bytes_are_a_gap_until_they_are_covered() -> None:
    model, assembly = Model(), Assembly(LINEAGE, max_bytes=1000)
    for _ in range(3):
        (message,) = model.commit(Write(OWN, "a", b'"' + b"x" * 400 + b'"'))
        assembly.add(message, Revisions())
    assert assembly.next(Revisions()).need is Need.GAP
    assert assembly.next(Revisions(environment=2)).need is Need.NOTHING


def test_a_heartbeat_tells_how_we_stand() -> None:
    model = Model()
    model.commit(Write(OWN, "a"))
    model.commit(Write(GLOBAL, "a"))
    early = model.heartbeat()
    snapshot = Snapshot.empty(APP, ENVIRONMENT)
    assert compare(snapshot, early) is Agreement.BEHIND
    snapshot = snapshot.after(model.document())
    assert compare(snapshot, early) is Agreement.AGREED
    model.commit(Write(OWN, "b"))
    assert compare(snapshot.after(model.document()), early) is Agreement.AHEAD
    other = Heartbeat(2, early.global_, early.app, ScopeState(1, 12345), 3.0)
    assert compare(snapshot, other) is Agreement.DIVERGED

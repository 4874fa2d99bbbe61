"""What an agent says of itself stands until it is withdrawn."""

from agent.sync.remarks import Remarks
from shared.runtime.clock import unix_ms
from shared.wire.remark import MAX_DETAIL, MAX_REMARKS, Remark
from tests.fakes.clock import ManualClock


class _Told:
    """Remarks at an agent that has applied a revision."""

    def __init__(self) -> None:
        self.clock, self.revision, self.changes = ManualClock(), 5, 0
        self.remarks = Remarks(self.clock, lambda: self.revision)

    def changed(self) -> None:
        self.changes += 1


def test_what_is_told_stands_since_it_was_told_first() -> None:
    it = _Told()
    since = unix_ms(it.clock.now())
    with it.remarks.observe(it.changed):
        it.remarks.tell("file", "web", "its check said no", refuses=True)
        it.remarks.tell("file", "web", "its check said no", refuses=True)
        assert it.changes == 1
        it.clock.advance(60)
        it.revision = 6
        it.remarks.tell("file", "web", "its check said no", refuses=True)
        assert it.remarks.current == (Remark("file", "web", "its check said no", since, refuses=True, revision=6),)
        it.remarks.withdraw("file", "web")
        it.remarks.withdraw("file", "web")
        assert (it.changes, it.remarks.current, it.remarks.refuses) == (3, (), False)
    it.remarks.tell("hook", "web", "it failed")
    assert it.changes == 3


def test_texts_and_their_number_are_bounded_and_what_refuses_goes_first() -> None:
    it = _Told()
    for number in range(MAX_REMARKS + 10):
        it.remarks.tell("drift", str(number), "x\0" * MAX_DETAIL)
    it.remarks.tell("file", "web", "no", refuses=True)
    assert len(it.remarks.current) == MAX_REMARKS
    assert (it.remarks.current[0].about, len(it.remarks.current[1].detail)) == ("web", MAX_DETAIL)
    assert "\0" not in it.remarks.current[1].detail

"""Which bulk answers are kept for who asks again."""

from collections import Counter

from agent.local_api.ofrep.recent import MAX_BYTES, MAX_KEPT, BulkAnswer, Recent
from agent.local_api.reply import Reply


def answer(size: int = 10, since_ms: int = 0, until_ms: int | None = None) -> BulkAnswer:
    return BulkAnswer('"x"', Reply(200, (), b"x" * size), Reply(304, ()), Counter(), since_ms, until_ms)


def twice(recent: Recent, wanted: tuple[object, ...], given: BulkAnswer) -> None:
    recent.keep(wanted, given, 1)
    recent.keep(wanted, given, 1)


def test_an_answer_is_kept_once_it_is_asked_for_again_and_for_as_long_as_the_clock_changes_nothing() -> None:
    recent, given = Recent(), answer(since_ms=10, until_ms=20)
    recent.keep((1,), given, 1)
    assert recent.get((1,), 10) is None
    recent.keep((1,), given, 1)
    assert [recent.get((1,), at) is given for at in (9, 10, 19, 20)] == [False, True, True, False]
    recent.clear()
    assert recent.get((1,), 10) is None


def test_the_oldest_make_room_and_what_is_too_large_is_not_kept() -> None:
    recent = Recent()
    for number in range(MAX_KEPT + 1):
        twice(recent, (number,), answer())
    assert recent.get((0,), 0) is None
    assert recent.get((MAX_KEPT,), 0) is not None
    for number in range(3):
        twice(recent, ("large", number), answer(MAX_BYTES // 2 - 10))
    assert [recent.get(("large", number), 0) is not None for number in range(3)] == [False, True, True]
    twice(recent, ("huge",), answer(MAX_BYTES))
    assert recent.get(("huge",), 0) is None

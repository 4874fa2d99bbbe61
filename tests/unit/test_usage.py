"""How often configs are read: counted in the agent, told in reports, added up by the control plane."""

import pytest

from agent.snapshot.usage import FILES_EVERY, Usage
from shared.domain.codec import decode
from shared.domain.scope import Revisions
from shared.wire.report import MAX_COUNTED_KEYS, ReadCounts, Report
from tests.fakes.clock import ManualClock


def _report(reads: ReadCounts | None) -> Report:
    return Report("i", "billing", "prod", "1", Revisions(), "live", "sse", reads=reads)


def test_what_was_told_is_not_told_again() -> None:
    usage = Usage(ManualClock())
    usage.keys["a"] += 1
    usage.keys["a"] += 1
    usage.bulk += 3
    assert usage.take() == ReadCounts({"a": 2}, 3)
    assert usage.take() == ReadCounts()


def test_what_could_not_be_told_is_told_with_what_came_since() -> None:
    usage = Usage(ManualClock())
    usage.keys["a"] += 1
    usage.bulk += 1
    untold = usage.take()
    usage.keys["a"] += 1
    usage.keys["b"] += 1
    usage.give_back(untold)
    assert usage.take() == ReadCounts({"a": 2, "b": 1}, 1)


def test_keys_that_find_no_room_in_a_report_come_first_in_the_next() -> None:
    usage = Usage(ManualClock())
    keys = [f"k{number}" for number in range(2 * MAX_COUNTED_KEYS + 10)]
    told: list[str] = []
    for waiting in (MAX_COUNTED_KEYS + 10, 10 + MAX_COUNTED_KEYS, 10 + MAX_COUNTED_KEYS):
        for key in keys:
            usage.keys[key] += 1
        counts = usage.take()
        assert (len(counts.keys), counts.waiting) == (MAX_COUNTED_KEYS, waiting)
        told += counts.keys
    assert set(told) == set(keys)


def test_what_stands_in_files_counts_as_read_once_an_hour() -> None:
    clock = ManualClock()
    usage = Usage(clock)
    usage.rendered(["a", "b", "a"])
    assert usage.take().keys == {"a": 1, "b": 1}
    clock.advance(FILES_EVERY - 1)
    assert usage.take().keys == {}
    clock.advance(1)
    assert usage.take().keys == {"a": 1, "b": 1}
    usage.rendered(["b"])
    assert usage.take().keys == {"b": 1}


def test_counts_cross_the_wire() -> None:
    report = _report(ReadCounts({"a": 2, "b.c": 10**9}, 3, 4))
    assert Report.from_document(decode(report.encode())) == report


def test_an_agent_that_does_not_count_says_nothing_of_reads() -> None:
    document = decode(_report(None).encode())
    assert Report.from_document(document).reads is None
    del document["reads"]
    assert Report.from_document(document).reads is None


@pytest.mark.parametrize(
    "reads",
    [
        {},
        {"keys": {"a": -1}},
        {"keys": {"a": "1"}},
        {"keys": {"a/b": 1}},
        {"keys": {"a": 2**60}},
        {"keys": {f"k{number}": 1 for number in range(MAX_COUNTED_KEYS + 1)}},
        {"keys": {}, "bulk": None},
        [],
    ],
)
def test_counts_that_make_no_sense_are_refused(reads: object) -> None:
    with pytest.raises(ValueError, match=r"report|count|keys"):
        Report.from_document(decode(_report(None).encode()) | {"reads": reads})

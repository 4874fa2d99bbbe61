"""Gates: how they are read, and what their measurements add up to."""

from typing import TYPE_CHECKING

import pytest

from control_plane.domain.access.role import Role
from control_plane.domain.gates.judging import Judgement, Verdict, judge, judge_step
from control_plane.domain.gates.measurement import MAX_KEPT, Measurement, Result, latest, recorded, remembered
from control_plane.domain.gates.parsing import parse_gate, parse_gates
from control_plane.domain.gates.spec import Acks, Approval, Bake, Gate, Health, Outcomes, Terms
from shared.domain.codec import Json

if TYPE_CHECKING:
    from shared.wire.problem import Violation

START = 1_000_000
GOOD: list[Json] = [
    {"type": "bake", "seconds": 600},
    {"type": "acks", "share": 0.99},
    {"type": "health", "max_unhealthy": 2, "min_agents": 5, "dry_run": True},
    {"type": "outcomes", "minimum": 1000, "false_alarm": 0.001, "false_pass": 0.05, "margin": 0.005},
    {"type": "metric", "query": "up", "op": "gte", "value": 1, "source": "main", "interval": 0.5},
    {"type": "webhook", "url": "https://ci.example/gate?x=1", "failure_limit": 3, "timeout": 60},
    {"type": "approval", "count": 2, "roles": ["admin"], "inconclusive_limit": 5, "on_timeout": "hold"},
]


def gate(document: Json) -> Gate:
    found: list[Violation] = []
    parsed = parse_gate(document, "", found)
    assert parsed is not None, found
    return parsed


def violations(document: Json) -> list[str]:
    found: list[Violation] = []
    assert parse_gate(document, "/gates/0", found) is None
    return [each.pointer for each in found]


def after(seconds: float, result: Result, detail: str = "so it is", of: int = 0) -> Measurement:
    return Measurement(of, START + round(seconds * 1000), result, detail)


def verdict(spec: Json, *measured: Measurement, at: float) -> Verdict:
    return judge(gate(spec), measured, START, START + round(at * 1000)).verdict


def test_each_kind_is_read_with_its_defaults() -> None:
    found: list[Violation] = []
    bake, acks, health, outcomes, *_, approval = parse_gates(GOOD, "/gates", found)
    assert found == []
    assert bake == Bake(Terms(interval=1), 600)
    assert acks == Acks(Terms(interval=1), share=0.99)
    assert health == Health(Terms(interval=1, dry_run=True), max_unhealthy=2, min_agents=5)
    assert isinstance(outcomes, Outcomes)
    assert (outcomes.false_pass, outcomes.tolerance) == (0.05, 0.0)
    assert isinstance(approval, Approval)
    assert approval.roles == (Role.ADMIN,)


@pytest.mark.parametrize("document", GOOD)
def test_a_gate_is_the_same_after_it_was_written_and_read(document: Json) -> None:
    written = gate(document).document()
    assert document.items() <= written.items()
    assert gate(written) == gate(document)
    assert gate(written).document() == written


@pytest.mark.parametrize(
    ("document", "pointers"),
    [
        ([], ["/gates/0"]),
        ({}, ["/gates/0"]),
        ({"type": "luck"}, ["/gates/0/type"]),
        ({"type": ["bake"]}, ["/gates/0/type"]),
        ({"type": "bake"}, ["/gates/0"]),
        ({"type": "bake", "seconds": True}, ["/gates/0/seconds"]),
        ({"type": "bake", "seconds": -1}, ["/gates/0/seconds"]),
        ({"type": "bake", "seconds": float("nan")}, ["/gates/0/seconds"]),
        ({"type": "bake", "seconds": 60, "timeout": 60}, ["/gates/0/timeout"]),
        ({"type": "bake", "seconds": 1, "minutes": 5}, ["/gates/0/minutes"]),
        ({"type": "acks", "share": 0}, ["/gates/0/share"]),
        ({"type": "health", "max_unhealthy": 1.5}, ["/gates/0/max_unhealthy"]),
        ({"type": "outcomes", "false_alarm": 1, "minimum": 0}, ["/gates/0/false_alarm", "/gates/0/minimum"]),
        ({"type": "metric", "query": "", "op": "=", "value": "1"}, ["/gates/0/op", "/gates/0/query", "/gates/0/value"]),
        ({"type": "metric", "query": "up"}, ["/gates/0", "/gates/0"]),
        ({"type": "webhook", "url": "file:///etc/passwd"}, ["/gates/0/url"]),
        ({"type": "webhook", "url": "http://user:secret@host/"}, ["/gates/0/url"]),
        ({"type": "webhook", "url": "http://["}, ["/gates/0/url"]),
        ({"type": "approval", "roles": ["viewer"]}, ["/gates/0/roles"]),
        ({"type": "approval", "failure_limit": 101, "interval": 0}, ["/gates/0/failure_limit", "/gates/0/interval"]),
        ({"type": "approval", "on_timeout": None, "dry_run": 1}, ["/gates/0/dry_run", "/gates/0/on_timeout"]),
    ],
)
def test_what_is_wrong_with_a_gate_is_pointed_at(document: Json, pointers: list[str]) -> None:
    assert sorted(violations(document)) == pointers


def test_a_step_has_ten_gates_at_most() -> None:
    found: list[Violation] = []
    assert len(parse_gates([{"type": "bake", "seconds": 1}] * 11, "/gates", found)) == 10
    assert [each.pointer for each in found] == ["/gates"]


def test_what_was_not_measured_is_open_and_due() -> None:
    assert judge(gate(GOOD[1]), (), START, START).due == (0,)
    assert verdict(GOOD[1], at=0) is Verdict.OPEN


def test_a_pass_counts_until_the_next_measurement_is_due() -> None:
    assert verdict(GOOD[1], after(1, Result.PASS), at=1.9) is Verdict.PASSED
    assert verdict(GOOD[1], after(1, Result.PASS), at=2) is Verdict.OPEN


def test_one_failure_is_enough_where_nothing_else_is_said() -> None:
    assert verdict(GOOD[1], after(1, Result.FAIL), at=1) is Verdict.FAILED
    assert verdict(GOOD[1], after(1, Result.FAIL), after(2, Result.INCONCLUSIVE), at=100) is Verdict.FAILED


def test_failures_are_counted_from_the_last_pass() -> None:
    spec = {"type": "acks", "failure_limit": 2}
    first, second = after(1, Result.FAIL), after(3, Result.FAIL)
    assert verdict(spec, first, at=1) is Verdict.OPEN
    assert verdict(spec, first, after(2, Result.INCONCLUSIVE), second, at=3) is Verdict.FAILED
    assert verdict(spec, first, after(2, Result.PASS), second, at=3) is Verdict.OPEN


def test_inconclusive_never_passes_and_holds_for_ever_if_nothing_limits_it() -> None:
    measured = Measurement(0, START + 9_000_000, Result.INCONCLUSIVE, "no answer", count=9000, since_ms=START)
    judged = judge(gate(GOOD[1]), [measured], START, START + 9_000_000)
    assert (judged.verdict, judged.reason) == (Verdict.OPEN, "gate 0 (acks): no answer")


def test_inconclusive_measurements_in_a_row_end_with_a_person() -> None:
    spec = {"type": "acks", "inconclusive_limit": 2}
    once, again = after(1, Result.INCONCLUSIVE), after(2, Result.INCONCLUSIVE, "something else")
    assert verdict(spec, once, at=1) is Verdict.OPEN
    assert verdict(spec, once, again, at=2) is Verdict.STUCK
    assert verdict(spec, once, after(1.5, Result.PASS), again, at=2) is Verdict.OPEN


def test_a_timeout_fails_the_gate_or_holds_it_as_it_says() -> None:
    spec = {"type": "acks", "timeout": 5}
    late = after(5, Result.INCONCLUSIVE)
    assert verdict(spec, after(4.9, Result.INCONCLUSIVE), at=4.9) is Verdict.OPEN
    assert verdict(spec, late, at=5) is Verdict.FAILED
    assert verdict(spec | {"on_timeout": "hold"}, late, at=5) is Verdict.STUCK


def test_a_timeout_is_counted_from_the_last_pass() -> None:
    spec = {"type": "acks", "timeout": 5}
    assert verdict(spec, after(4, Result.PASS), after(8, Result.INCONCLUSIVE), at=8) is Verdict.OPEN
    assert verdict(spec, after(4, Result.PASS), after(9, Result.INCONCLUSIVE), at=9) is Verdict.FAILED


def test_nobody_is_timed_out_without_a_look_at_what_is_there_now() -> None:
    judged = judge(gate({"type": "acks", "timeout": 5}), [after(4, Result.INCONCLUSIVE)], START, START + 600_000)
    assert (judged.verdict, judged.due) == (Verdict.OPEN, (0,))


def test_a_gate_is_looked_at_when_its_time_is_over() -> None:
    judged = judge(gate({"type": "acks", "timeout": 5, "interval": 60}), [after(0, Result.FAIL)][:0], START, START)
    assert judged.due_ms == START
    judged = judge(gate({"type": "acks", "timeout": 5, "interval": 60}), [after(0, Result.INCONCLUSIVE)], START, START)
    assert judged.due_ms == START + 5_000


def test_a_bake_is_looked_at_when_it_is_done_and_never_again() -> None:
    bake = gate({"type": "bake", "seconds": 60})
    assert judge(bake, [after(0, Result.INCONCLUSIVE)], START, START).due_ms == START + 60_000
    done = judge(bake, [after(0, Result.INCONCLUSIVE), after(60, Result.PASS)], START, START + 9_000_000)
    assert (done.verdict, done.due) == (Verdict.PASSED, ())


def test_a_dry_run_neither_holds_nor_fails_and_is_measured_all_the_same() -> None:
    spec = gate({"type": "acks", "dry_run": True})
    assert judge(spec, (), START, START) == Judgement(
        Verdict.PASSED, "gate 0 (acks): it is not measured yet", (0,), START
    )
    assert judge(spec, [after(1, Result.FAIL)], START, START + 1000).verdict is Verdict.PASSED


def test_a_step_passes_when_all_of_its_gates_do_at_once() -> None:
    gates = [gate(GOOD[0]), gate(GOOD[1])]
    baked, acked = after(600, Result.PASS, of=0), after(599, Result.PASS, of=1)
    assert judge_step([], (), START, START).verdict is Verdict.PASSED
    stale = judge_step(gates, [baked, acked], START, START + 600_000)
    assert (stale.verdict, stale.due) == (Verdict.OPEN, (1,))
    fresh = recorded([baked, acked], after(600, Result.PASS, of=1))
    assert judge_step(gates, fresh, START, START + 600_000).verdict is Verdict.PASSED


def test_a_step_fails_at_once_with_one_of_its_gates() -> None:
    gates = [gate(GOOD[0]), gate(GOOD[1])]
    measured = [after(0, Result.INCONCLUSIVE, of=0), after(1, Result.FAIL, "two rejected it", of=1)]
    judged = judge_step(gates, measured, START, START + 1_000)
    assert (judged.verdict, judged.reason) == (Verdict.FAILED, "gate 1 (acks): two rejected it")


def test_measurements_with_one_result_and_reason_are_kept_as_one() -> None:
    kept: tuple[Measurement, ...] = ()
    for second in range(100):
        kept = recorded(kept, Measurement(0, START + second, Result.PASS, "all", {"agents": second}))
    assert kept == (Measurement(0, START + 99, Result.PASS, "all", {"agents": 99}, 100, START),)


def test_the_history_is_bounded_and_keeps_the_last_pass() -> None:
    kept = (after(0, Result.PASS), after(0, Result.PASS, of=1))
    for second in range(1, 1000):
        kept = recorded(kept, after(second, Result.INCONCLUSIVE, f"reason {second}"))
    assert len(kept) == MAX_KEPT + 1
    assert [each.result for each in kept if each.gate == 0][:2] == [Result.PASS, Result.INCONCLUSIVE]
    assert latest(kept, 0) == kept[-1]
    assert latest(kept, 1) == after(0, Result.PASS, of=1)


def test_a_history_is_the_same_after_it_was_stored_in_pieces() -> None:
    kept: tuple[Measurement, ...] = ()
    stored = []
    for second, result in enumerate([Result.PASS, Result.PASS, Result.FAIL, Result.PASS, Result.PASS]):
        kept = recorded(kept, after(second, result, of=second % 2))
        stored.append(kept[-1].document())
        stored += [each.document() for each in kept]
    assert set(remembered(stored)) == set(kept)


def test_a_long_reason_is_cut() -> None:
    assert len(after(0, Result.FAIL, "x" * 10_000).detail) == 500

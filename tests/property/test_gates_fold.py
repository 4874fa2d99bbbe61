"""What must always hold of gates: of how they are read, of what is kept, and of what it adds up to."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from control_plane.domain.gates.judging import Verdict, judge, judge_step
from control_plane.domain.gates.measurement import MAX_KEPT, Measurement, Result, recorded, remembered
from control_plane.domain.gates.parsing import parse_gate, parse_gates
from control_plane.domain.gates.spec import KINDS, Acks, Bake, Gate, Terms
from shared.domain.codec import decode, encode

terms = st.builds(
    Terms,
    interval=st.sampled_from([0.5, 1, 7]),
    timeout=st.none() | st.integers(8, 40),
    on_timeout=st.sampled_from(["fail", "hold"]),
    failure_limit=st.integers(1, 4),
    inconclusive_limit=st.none() | st.integers(1, 4),
    dry_run=st.booleans(),
)
gates = st.builds(Acks, terms)
results = st.lists(st.tuples(st.sampled_from(Result), st.sampled_from(["this", "that"])), max_size=40)
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = sorted({"type", *(each.name for of in (*KINDS.values(), Terms) for each in fields(of))})


def driven(said: Sequence[tuple[Result, str]]) -> tuple[Measurement, ...]:
    """The history of a gate that was measured once a second."""
    kept: tuple[Measurement, ...] = ()
    for index, (result, detail) in enumerate(said):
        kept = recorded(kept, Measurement(0, index * 1_000, result, detail))
    return kept


@given(st.dictionaries(st.sampled_from(MEMBERS), json | st.sampled_from(sorted(KINDS)), max_size=8))
def test_any_document_is_a_gate_or_has_violations_that_point_into_it(document: Any) -> None:
    found: list[Any] = []
    parsed = parse_gate(document, "/gates/0", found)
    assert (parsed is None) == bool(found)
    assert all(each.pointer.startswith("/gates/0") and each.detail for each in found)
    if parsed is not None:
        assert parse_gate(decode(encode(parsed.document())), "", found) == parsed


@given(json)
def test_anything_can_be_read_as_the_gates_of_a_step(document: Any) -> None:
    found: list[Any] = []
    assert parse_gates(document, "/gates", found) == () or not found


@given(gates, results)
def test_folding_changes_nothing_about_the_verdict(gate: Gate, said: list[tuple[Result, str]]) -> None:
    kept = driven(said)
    plain = [Measurement(0, index * 1_000, result, detail) for index, (result, detail) in enumerate(said)]
    now = max(0, len(said) - 1) * 1_000
    assert judge(gate, kept, 0, now).verdict is judge(gate, plain, 0, now).verdict
    assert sum(each.count for each in kept) == len(said)


@given(gates, results, st.integers(0, 100_000))
def test_only_a_fresh_pass_passes(gate: Gate, said: list[tuple[Result, str]], later_ms: int) -> None:
    kept = driven(said)
    now = max(0, len(said) - 1) * 1_000 + later_ms
    judged = judge(gate, kept, 0, now)
    if gate.terms.dry_run:
        assert judged.verdict is Verdict.PASSED
    elif judged.verdict is Verdict.PASSED:
        assert kept[-1].result is Result.PASS
        assert now - kept[-1].at_ms < gate.terms.interval * 1_000
        assert not judged.due


@given(gates, results)
def test_it_fails_with_as_many_failures_as_its_limit_or_in_vain_waiting(
    gate: Gate, said: list[tuple[Result, str]]
) -> None:
    kept = driven(said)
    judged = judge(gate, kept, 0, max(0, len(said) - 1) * 1_000)
    if gate.terms.dry_run:
        return
    since_pass = [result for result, _ in said]
    if Result.PASS in since_pass:
        since_pass = since_pass[len(since_pass) - since_pass[::-1].index(Result.PASS) :]
    enough = since_pass.count(Result.FAIL) >= gate.terms.failure_limit
    if enough:
        assert judged.verdict is Verdict.FAILED
    if judged.verdict is Verdict.FAILED:
        assert enough or gate.terms.on_timeout == "fail"


@given(gates)
def test_nothing_but_inconclusive_never_passes(gate: Gate) -> None:
    kept: tuple[Measurement, ...] = ()
    for second in range(100):
        kept = recorded(kept, Measurement(0, second * 1_000, Result.INCONCLUSIVE, "why"))
        verdict = judge(gate, kept, 0, second * 1_000).verdict
        assert verdict is not Verdict.PASSED or gate.terms.dry_run


@given(st.lists(gates, max_size=3), st.lists(st.tuples(st.integers(0, 2), st.sampled_from(Result)), max_size=30))
def test_a_step_is_as_its_worst_gate(of_step: list[Gate], said: list[tuple[int, Result]]) -> None:
    kept: tuple[Measurement, ...] = ()
    for index, (gate, result) in enumerate(said):
        kept = recorded(kept, Measurement(gate, index * 100, result, "why"))
    now = max(0, len(said) - 1) * 100
    each = [
        judge(gate, [one for one in kept if one.gate == index], 0, now).verdict for index, gate in enumerate(of_step)
    ]
    whole = judge_step(of_step, kept, 0, now)
    order = [Verdict.FAILED, Verdict.STUCK, Verdict.OPEN, Verdict.PASSED]
    assert whole.verdict is min(each, key=order.index, default=Verdict.PASSED)
    assert all(index < len(of_step) for index in whole.due)


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(Result), st.integers(0, 150)), max_size=300))
def test_what_is_kept_is_bounded_and_survives_being_stored(said: list[tuple[int, Result, int]]) -> None:
    kept: tuple[Measurement, ...] = ()
    for at, (gate, result, reason) in enumerate(said):
        kept = recorded(kept, Measurement(gate, at, result, f"reason {reason}", {"at": at}))
    assert all(sum(each.gate == gate for each in kept) <= MAX_KEPT for gate in range(3))
    assert remembered(decode(encode([each.document() for each in kept]))) == kept


@given(st.integers(1, 3_600), st.lists(st.integers(1, 600), max_size=20))
def test_a_bake_is_over_at_its_time_whenever_somebody_looks(seconds: int, pauses: list[int]) -> None:
    bake, kept, now = Bake(Terms(interval=1), seconds), (), 0
    looks = 0
    for pause in [0, *pauses]:
        now += pause * 1_000
        judged = judge_step([bake], kept, 0, now)
        if judged.due:
            looks += 1
            result = Result.PASS if now >= seconds * 1_000 else Result.INCONCLUSIVE
            kept = recorded(kept, Measurement(0, now, result, "time"))
            judged = judge_step([bake], kept, 0, now)
        assert (judged.verdict is Verdict.PASSED) == (now >= seconds * 1_000)
    assert looks <= 2

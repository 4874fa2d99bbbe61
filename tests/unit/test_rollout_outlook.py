"""What previews and views tell of a plan's times is what happens if nothing holds it."""

from typing import Any

import pytest

from control_plane.domain.attribution import Attribution
from control_plane.domain.gates.judging import Judgement, Verdict
from control_plane.domain.rollouts import machine
from control_plane.domain.rollouts.outlook import outlook
from control_plane.domain.rollouts.rollout import Rollout
from control_plane.domain.rollouts.spec import NewRollout, Stage, rollout_from
from control_plane.domain.rollouts.words import Phase, Strategy
from shared.domain.entry import Kind
from shared.domain.scope import Scope

NOW = 1_800_000_000_000
BAKE = {"type": "bake", "seconds": 60}
STAGES = [
    Stage(1_000, after_ms=0),
    Stage(10_000, after_ms=1_000, gates=[BAKE]),
    Stage(50_000, after_ms=5_000, gates=[{"type": "acks"}]),
    Stage(100_000, after_ms=90_000),
]


def pending(**asked: Any) -> Rollout:
    new = NewRollout(Scope("shop"), "k", Strategy.PERCENTAGE, Kind.VALUE, b"2", **{"stages": STAGES} | asked)
    return rollout_from(new, Attribution("olga"))


def told(rollout: Rollout, now_ms: int) -> list[tuple[int, int, int | None, str]]:
    return [
        (each.step, each.weight, None if each.at_ms is None else each.at_ms - NOW, each.when)
        for each in outlook(rollout, now_ms)
    ]


def test_a_pending_rollout_is_told_as_if_it_started_now_and_gates_took_no_longer_than_they_bake() -> None:
    assert told(pending(), NOW) == [
        (0, 1_000, 0, "ahead"),
        (0, 10_000, 1_000, "ahead"),
        (1, 50_000, 61_000, "ahead"),
        (2, 100_000, 146_000, "ahead"),
    ]
    assert [[gate.TYPE for gate in each.gates] for each in outlook(pending(), NOW)] == [[], ["bake"], ["acks"], []]
    assert told(pending(start_at_ms=NOW + 7), NOW)[0][2] == 7


def test_what_is_told_ahead_is_what_happens() -> None:
    started = machine.start(pending(), NOW).rollout
    expected = told(started, NOW)
    happened: list[tuple[int, int, int]] = []
    rollout = started
    now = NOW
    while not rollout.finished:
        weight = rollout.weight(now)
        if not happened or happened[-1][:2] != (rollout.step, weight):
            happened.append((rollout.step, weight, now - NOW))
        baked = rollout.gates_ms is None or now >= rollout.gates_ms + (60_000 if rollout.step == 0 else 0)
        verdict = Judgement(Verdict.PASSED if baked else Verdict.OPEN)
        moved = machine.advance(rollout, now, verdict)
        if moved is None:
            now += 500
        else:
            rollout = moved.rollout
    steps_reached = [(step, weight, at) for step, weight, at in happened if (step, weight) in {e[:2] for e in expected}]
    assert steps_reached == [(step, weight, at) for step, weight, at, _ in expected]


def test_a_running_rollout_tells_what_is_passed_current_and_ahead() -> None:
    second = machine.promote(machine.start(pending(), NOW).rollout, NOW + 500, "").rollout
    states = [each.when for each in outlook(second, NOW + 500)]
    assert states == ["passed", "passed", "current", "ahead"]
    assert [each.at_ms for each in outlook(second, NOW)][:2] == [None, None]
    paused = machine.pause(second, NOW + 600, "").rollout
    late, later = outlook(paused, NOW + 10_600)[-1].at_ms, outlook(paused, NOW + 20_600)[-1].at_ms
    assert late is not None
    assert later == late + 10_000


@pytest.mark.parametrize(("end", "states"), [("promote", {"passed"}), ("abort", {"passed", "ahead"})])
def test_one_that_has_ended_has_nothing_current(end: str, states: set[str]) -> None:
    second = machine.promote(machine.start(pending(), NOW).rollout, NOW, "").rollout
    ended = (machine.promote(second, NOW, "", full=True) if end == "promote" else machine.abort(second, "")).rollout
    assert {each.when for each in outlook(ended, NOW)} == states
    assert ended.phase in {Phase.COMPLETED, Phase.ABORTED}


def test_stages_by_labels_tell_whom_they_are_for() -> None:
    stages = [Stage(labels={"track": "canary"}, gates=[BAKE]), Stage(100_000)]
    rows = outlook(canary(stages), NOW, exposures=True)
    assert [each.labels for each in rows] == [({"track": "canary"},), ()]
    assert all(each.exposure for each in rows)


def canary(stages: list[Stage]) -> Rollout:
    new = NewRollout(Scope("shop"), "k", Strategy.CANARY, Kind.VALUE, b"2", stages=stages)
    return rollout_from(new, Attribution("olga"))

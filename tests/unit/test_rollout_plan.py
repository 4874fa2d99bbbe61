"""What is asked of a rollout becomes a plan, or is refused with all that is wrong."""

from datetime import timedelta
from typing import Any

import pytest

from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import InvalidError
from control_plane.domain.gates.judging import Judgement, Verdict
from control_plane.domain.rollouts import machine
from control_plane.domain.rollouts.exposure import exposure
from control_plane.domain.rollouts.rollout import Rollout
from control_plane.domain.rollouts.spec import NewRollout, Stage, rollout_from
from control_plane.domain.rollouts.words import AtEnd, Outcome, Phase, Strategy
from control_plane.domain.staging import Staged
from shared.domain.codec import decode
from shared.domain.context import EvaluationContext
from shared.domain.entry import Entry, Kind
from shared.domain.program import Program
from shared.domain.resolution import Effective
from shared.domain.scope import Level, Scope

OLGA = Attribution("olga", "192.0.2.7", "req-1", "operator")
BAKE = {"type": "bake", "seconds": 60}
NOW = 1_800_000_000_000


def rollout(strategy: Strategy, **asked: Any) -> Rollout:
    return rollout_from(NewRollout(Scope("shop", "prod"), "k", strategy, Kind.VALUE, b"2", **asked), OLGA)


def serves(of: Rollout, now_ms: int, **context: Any) -> Any:
    """What an agent serves to who asks, at a moment."""
    entry = Entry("k", Kind.VALUE, b"1", 2, 3, rollout=exposure(of))
    others = {"on": Effective(Level.APP, Entry("on", Kind.VALUE, b"true", 1, 1))}
    program = Program.of({"k": Effective(Level.ENVIRONMENT, entry), **others})
    attributes = {name: value for name, value in context.items() if name not in {"targeting_key", "groups"}}
    asked = EvaluationContext(context.get("targeting_key"), context.get("groups", ()), attributes)
    found = program.evaluate("k", asked, now_ms)
    assert not program.unsupported
    assert found is not None
    return decode(found.value)


def test_stages_without_a_gate_between_them_are_one_step() -> None:
    stages = [
        Stage(1_000, after_ms=0),
        Stage(10_000, after_ms=1_000, gates=[BAKE]),
        Stage(50_000, after_ms=5_000),
        Stage(100_000, after_ms=9_000),
    ]
    plan = rollout(Strategy.PERCENTAGE, stages=stages).plan
    assert [[(each.weight, each.after_ms) for each in step.points] for step in plan.steps] == [
        [(1_000, 0), (10_000, 1_000)],
        [(50_000, 4_000), (100_000, 4_000)],
    ]
    assert plan.completes
    assert plan.staged("percentage") == Staged("percentage", frozenset({"bake"}), timedelta(seconds=60), 10_000)


def test_a_percentage_goes_by_the_clock_to_its_gate_and_later_on_as_much_later() -> None:
    stages = [Stage(100, after_ms=0), Stage(50_000, after_ms=1_000, gates=[BAKE]), Stage(100_000, after_ms=2_000)]
    moved = machine.start(rollout(Strategy.PERCENTAGE, stages=stages), NOW)
    assert (moved.rollout.weight(NOW), moved.rollout.weight(NOW + 1_000), moved.rollout.weight(NOW + 10**9)) == (
        100,
        50_000,
        50_000,
    )
    waiting = machine.advance(moved.rollout, NOW + 5_000)
    assert waiting is not None
    assert (waiting.action, waiting.rollout.phase, waiting.rollout.gates_ms) == ("waiting", Phase.WAITING, NOW + 1_000)
    assert machine.advance(waiting.rollout, NOW + 10**9, Judgement(Verdict.OPEN)) is None
    late = machine.advance(waiting.rollout, NOW + 61_000, Judgement(Verdict.PASSED))
    assert late is not None
    assert late.rollout.weight(NOW + 61_000) == 100_000
    done = machine.advance(late.rollout, NOW + 61_000)
    assert done is not None
    assert (done.action, done.rollout.outcome) == ("completed", Outcome.KEPT)


def test_a_pause_shifts_what_remains_and_ties_to_the_calendar_stay() -> None:
    stages = [Stage(1_000, after_ms=0), Stage(5_000, after_ms=10_000), Stage(100_000, at_ms=NOW + 100_000)]
    started = machine.start(rollout(Strategy.PERCENTAGE, stages=stages), NOW).rollout
    paused = machine.pause(started, NOW + 4_000, "lunch").rollout
    assert paused.weight(NOW + 90_000) == 1_000
    assert decode(exposure(paused))["weights"] == [[NOW, 1_000]]
    on = machine.resume(paused, NOW + 54_000, "back").rollout
    assert [(each.at_ms - NOW, each.weight) for each in on.timeline] == [
        (0, 1_000),
        (60_000, 5_000),
        (100_000, 100_000),
    ]


def test_who_promotes_has_the_next_weight_now_whatever_the_plan_says_of_its_time() -> None:
    stages = [
        Stage(1_000, after_ms=0),
        Stage(5_000, after_ms=10_000, gates=[BAKE]),
        Stage(50_000, after_ms=100_000),
        Stage(100_000, after_ms=200_000),
    ]
    started = machine.start(rollout(Strategy.PERCENTAGE, stages=stages), NOW).rollout
    early = machine.promote(started, NOW + 1_000, "now").rollout
    assert [(each.at_ms - NOW, each.weight) for each in early.timeline] == [(1_000, 50_000), (101_000, 100_000)]
    paused = machine.pause(started, NOW + 500, "wait").rollout
    late = machine.promote(paused, NOW + 9_000, "now").rollout
    assert (late.phase, late.weight(NOW + 9_000)) == (Phase.PROGRESSING, 50_000)


def test_a_pause_while_gates_have_the_word_makes_later_stages_later_too() -> None:
    stages = [Stage(1_000, after_ms=0, gates=[BAKE]), Stage(100_000, after_ms=100_000)]
    started = machine.start(rollout(Strategy.PERCENTAGE, stages=stages), NOW).rollout
    waiting = machine.advance(started, NOW + 1)
    assert waiting is not None
    on = machine.resume(machine.pause(waiting.rollout, NOW + 10, "").rollout, NOW + 30_010, "").rollout
    assert (on.phase, on.gates_ms, on.weight(NOW + 30_010)) == (Phase.WAITING, NOW + 30_010, 1_000)
    gone_on = machine.advance(on, NOW + 90_010, Judgement(Verdict.PASSED))
    assert gone_on is not None
    assert [(each.at_ms - NOW, each.weight) for each in gone_on.rollout.timeline] == [
        (90_010, 1_000),
        (130_000, 100_000),
    ]


def test_a_paused_rollout_is_aborted_by_a_clear_failure_and_by_nothing_else_moved() -> None:
    stages = [Stage(1_000, after_ms=0, gates=[BAKE]), Stage(100_000)]
    paused = machine.pause(machine.start(rollout(Strategy.PERCENTAGE, stages=stages), NOW).rollout, NOW, "?").rollout
    for verdict in (None, Verdict.OPEN, Verdict.PASSED, Verdict.STUCK):
        assert machine.advance(paused, NOW + 10**9, verdict and Judgement(verdict, "x")) is None
    moved = machine.advance(paused, NOW, Judgement(Verdict.FAILED, "it is ill"))
    assert moved is not None
    assert (moved.action, moved.rollout.paused_ms) == ("aborted", None)


def test_a_failed_gate_aborts_before_the_step_has_ended() -> None:
    stages = [Stage(1_000, after_ms=0), Stage(50_000, after_ms=10**6, gates=[BAKE]), Stage(100_000, after_ms=10**7)]
    started = machine.start(rollout(Strategy.PERCENTAGE, stages=stages), NOW).rollout
    moved = machine.advance(started, NOW + 1, Judgement(Verdict.FAILED, "5 of 7 are unhealthy"), {"numbers": 5})
    assert moved is not None
    assert (moved.action, moved.rollout.outcome, moved.rollout.reason) == (
        "aborted",
        Outcome.WITHDRAWN,
        "5 of 7 are unhealthy",
    )
    assert moved.detail == {"reason": "5 of 7 are unhealthy", "numbers": 5}


def test_a_canary_by_labels_then_everybody() -> None:
    stages = [Stage(labels={"track": "canary"}, gates=[BAKE]), Stage(100_000)]
    canary = rollout(Strategy.CANARY, stages=stages)
    assert (canary.unit, canary.plan.completes) == ("instance", True)
    assert canary.plan.staged("canary").first_weight == 0
    first = machine.start(canary, NOW).rollout
    assert serves(first, NOW, **{"agent.label.track": "canary", "agent.instance": "a"}) == 2
    assert serves(first, NOW, **{"agent.label.track": "stable", "agent.instance": "b"}) == 1
    second = machine.promote(first, NOW, "fine").rollout
    assert serves(second, NOW, **{"agent.label.track": "stable", "agent.instance": "b"}) == 2


def test_a_canary_that_says_nothing_more_begins_with_five_percent_and_its_gates() -> None:
    steps = rollout(Strategy.CANARY).plan.steps
    assert [(step.weight, [gate.TYPE for gate in step.gates]) for step in steps] == [
        (5_000, ["acks", "bake"]),
        (100_000, []),
    ]


def test_users_and_groups_are_targeted_few_by_name_and_many_by_digest() -> None:
    few = machine.start(rollout(Strategy.USER_TARGETING, users=["ada"], groups=["beta"]), NOW).rollout
    assert [
        serves(few, NOW, targeting_key="ada"),
        serves(few, NOW, targeting_key="eve"),
        serves(few, NOW, targeting_key="eve", groups=("beta",)),
    ] == [2, 1, 2]
    assert machine.advance(few, NOW + 10**9) is None
    users = [f"user-{number:06d}" for number in range(100_000)]
    many = machine.start(rollout(Strategy.USER_TARGETING, users=users), NOW).rollout
    assert len(exposure(many)) < 800_000
    assert (serves(many, NOW, targeting_key="user-099999"), serves(many, NOW, targeting_key="user-100000")) == (2, 1)


def test_a_rollout_follows_a_flag() -> None:
    follows = {"config": "on", "op": "eq", "values": [True]}
    assert serves(machine.start(rollout(Strategy.FEATURE_FLAG, follows=follows), NOW).rollout, NOW) == 2
    follows = {"config": "on", "op": "eq", "values": [False]}
    assert serves(machine.start(rollout(Strategy.FEATURE_FLAG, follows=follows), NOW).rollout, NOW) == 1


@pytest.mark.parametrize(("at_end", "outcome"), [(None, Outcome.REVERTED), (AtEnd.KEEP, Outcome.KEPT)])
def test_a_window_opens_and_closes_by_itself(at_end: AtEnd | None, outcome: Outcome) -> None:
    timed = rollout(Strategy.TIME_BASED, opens_ms=NOW + 10, closes_ms=NOW + 20, at_end=at_end)
    started = machine.start(timed, NOW).rollout
    assert [serves(started, NOW + each) for each in (0, 10, 19, 20)] == [1, 2, 2, 1]
    assert machine.next_ms(started) == NOW + 20
    ended = machine.advance(started, NOW + 20)
    assert ended is not None
    assert (ended.rollout.phase, ended.rollout.outcome) == (Phase.COMPLETED, outcome)


@pytest.mark.parametrize("strategy", [Strategy.IMMEDIATE, Strategy.PERCENTAGE, Strategy.CANARY])
def test_what_an_audience_or_a_window_would_see_change_does_not_complete_by_itself(strategy: Strategy) -> None:
    beta = {"attribute": "groups", "op": "eq", "values": ["beta"]}
    assert rollout(strategy).plan.completes
    for limits in ({"when": beta}, {"opens_ms": NOW + 1_000}, {"closes_ms": NOW + 1_000}):
        assert not rollout(strategy, **limits).plan.completes
    begun = machine.start(rollout(strategy, opens_ms=NOW + 1_000), NOW).rollout
    assert serves(begun, NOW, targeting_key="u") == 1
    assert machine.advance(begun, NOW) is None or strategy is not Strategy.IMMEDIATE


def test_an_immediate_rollout_is_everybodys_at_once_and_completes() -> None:
    started = machine.start(rollout(Strategy.IMMEDIATE), NOW).rollout
    assert serves(started, NOW) == 2
    done = machine.advance(started, NOW)
    assert done is not None
    assert done.action == "completed"


def test_a_rollout_starts_at_its_time() -> None:
    pending = rollout(Strategy.IMMEDIATE, start_at_ms=NOW)
    assert machine.advance(pending, NOW - 1) is None
    started = machine.advance(pending, NOW)
    assert started is not None
    assert started.action == "started"


@pytest.mark.parametrize(
    ("strategy", "asked", "pointer"),
    [
        (Strategy.PERCENTAGE, {"stages": []}, "/stages"),
        (Strategy.PERCENTAGE, {"stages": [Stage(100), Stage(100)]}, "/stages/1/weight"),
        (Strategy.PERCENTAGE, {"stages": [Stage(100_001)]}, "/stages/0/weight"),
        (Strategy.PERCENTAGE, {"stages": [Stage(1, after_ms=5), Stage(2, after_ms=4)]}, "/stages/1/after"),
        (Strategy.PERCENTAGE, {"stages": [Stage(1, at_ms=5), Stage(2, at_ms=4)]}, "/stages/1/at"),
        (Strategy.PERCENTAGE, {"stages": [Stage(labels={"a": "b"})]}, "/stages/0/labels"),
        (Strategy.PERCENTAGE, {"stages": [Stage()]}, "/stages/0/weight"),
        (Strategy.PERCENTAGE, {"stages": [Stage(100_000, gates=[{"type": "x"}])]}, "/stages/0/gates/0/type"),
        (Strategy.PERCENTAGE, {"gates": [{"type": "outcomes"}]}, "/gates/0"),
        (
            Strategy.PERCENTAGE,
            {"stages": [Stage(5), Stage(100_000, gates=[{"type": "outcomes"}])]},
            "/stages/1/gates/0",
        ),
        (Strategy.CANARY, {"stages": [Stage(5_000), Stage(labels={"a": "b"})]}, "/stages/1/labels"),
        (Strategy.CANARY, {"stages": [Stage(labels={"a": "b"}), Stage(5_000)]}, "/stages/1/weight"),
        (Strategy.IMMEDIATE, {"stages": [Stage(100)]}, "/stages"),
        (Strategy.IMMEDIATE, {"users": ["a"]}, "/users"),
        (Strategy.IMMEDIATE, {"when": {}}, "/when"),
        (Strategy.IMMEDIATE, {"at_end": AtEnd.KEEP}, "/window/at_end"),
        (Strategy.IMMEDIATE, {"bucketing": "x"}, "/bucketing"),
        (Strategy.FEATURE_FLAG, {}, "/follows"),
        (Strategy.USER_TARGETING, {}, "/users"),
        (Strategy.TIME_BASED, {}, "/window/end"),
        (Strategy.TIME_BASED, {"opens_ms": 5, "closes_ms": 5}, "/window/end"),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(strategy: Strategy, asked: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidError) as refused:
        rollout(strategy, **asked)
    assert pointer in [each.pointer for each in refused.value.violations]


def test_long_lists_in_an_audience_become_members() -> None:
    groups = [f"group-{number}" for number in range(2_000)]
    when = {"attribute": "company", "op": "not_in", "values": [f"company-{number}" for number in range(2_000)]}
    of = machine.start(rollout(Strategy.USER_TARGETING, groups=groups, when=when), NOW).rollout
    assert len(exposure(of)) < 50_000
    asked = [("group-7", "acme"), ("group-7", "company-7"), ("group-2000", "acme")]
    assert [serves(of, NOW, groups=(group,), company=company) for group, company in asked] == [2, 1, 1]


def test_an_audience_that_agents_could_not_read_as_a_whole_is_refused() -> None:
    deep: Any = {"attribute": "country", "op": "eq", "values": ["SE"]}
    for _ in range(9):
        deep = {"not": deep}
    assert rollout(Strategy.USER_TARGETING, when=deep)
    with pytest.raises(InvalidError) as refused:
        rollout(Strategy.USER_TARGETING, when=deep, users=["ada"])
    assert [each.pointer for each in refused.value.violations] == ["/when"]

"""Whatever happens to a rollout, in whatever order and however the clock jumps."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from control_plane.domain.access.role import Role
from control_plane.domain.attribution import Attribution
from control_plane.domain.gates.judging import Judgement, Verdict
from control_plane.domain.rollouts import machine
from control_plane.domain.rollouts.exposure import exposure
from control_plane.domain.rollouts.rollout import Rollout, rollout_of
from control_plane.domain.rollouts.spec import NewRollout, Stage, rollout_from
from control_plane.domain.rollouts.timeline import weight_at
from control_plane.domain.rollouts.words import EXPOSED, LEGAL, Action, Phase, Strategy
from control_plane.domain.transition import StoredRollout
from shared.domain.bucketing import WHOLE
from shared.domain.codec import decode, encode
from shared.domain.entry import Kind
from shared.domain.exposure import parse_exposure
from shared.domain.scope import Scope
from shared.runtime.clock import SystemClock

OLGA = Attribution("olga", "192.0.2.7", "req-1", "operator")
GATE = [{"type": "bake", "seconds": 60}]


@st.composite
def stages(draw: st.DrawFn) -> list[Stage]:
    weights = sorted(draw(st.sets(st.integers(1, WHOLE), min_size=1, max_size=5)))
    after = 0
    made = []
    for weight in weights:
        after += draw(st.sampled_from([0, 1_000, 60_000]))
        made.append(Stage(weight, after_ms=after, gates=GATE if draw(st.booleans()) else []))
    return made


def asked(of: list[Stage], **more: Any) -> NewRollout:
    return NewRollout(Scope("shop", "prod"), "k", Strategy.PERCENTAGE, Kind.VALUE, b"2", of, salt="s", **more)


def stored(rollout: Rollout) -> StoredRollout:
    """What comes back from where it was kept."""
    move = rollout.transition("x", {})
    now = SystemClock().now()
    document = decode(encode(dict(move.document)))
    return StoredRollout(
        move.id, move.scope, move.key, move.strategy, move.phase, rollout.version, 7, now, now, None, document
    )


class Life(RuleBasedStateMachine):
    """One rollout under everything that people, gates and clocks do."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_800_000_000_000
        self.passed = 0
        self.highest = 0

    @initialize(of=stages())
    def create(self, of: list[Stage]) -> None:
        self.rollout = rollout_from(asked(of), OLGA)

    def _take(self, moved: machine.Moved | None) -> None:
        if moved is None:
            return
        before, after = self.rollout, moved.rollout
        assert before.phase not in {Phase.COMPLETED, Phase.ABORTED}
        assert after.version == before.version
        self.rollout = rollout_of(stored(after))
        assert encode(self.rollout.document() | {"revision": 0}) == encode(after.document() | {"revision": 0})

    @rule(milliseconds=st.sampled_from([0, 1, 999, 60_000, 600_000, -5_000]))
    def time_passes(self, milliseconds: int) -> None:
        self.now += milliseconds

    @rule(action=st.sampled_from([Action.START, Action.PAUSE, Action.RESUME, Action.PROMOTE, Action.ABORT]))
    def somebody_acts(self, action: Action) -> None:
        rollout, now = self.rollout, self.now
        acts = {
            Action.START: lambda: machine.start(rollout, now),
            Action.PAUSE: lambda: machine.pause(rollout, now, "x"),
            Action.RESUME: lambda: machine.resume(rollout, now, "x"),
            Action.PROMOTE: lambda: machine.promote(rollout, now, "x"),
            Action.ABORT: lambda: machine.abort(rollout, "x"),
        }
        if action not in LEGAL[rollout.phase]:
            with pytest.raises(machine.IllegalActionError) as refused:
                acts[action]()
            assert refused.value.facts["legal_actions"] == list(LEGAL[rollout.phase])
            return
        moved = acts[action]()
        if action in {Action.PAUSE, Action.RESUME}:
            assert moved.rollout.weight(now) == rollout.weight(now)
        self._take(moved)

    @rule(verdict=st.sampled_from([None, *Verdict]))
    def the_leader_looks(self, verdict: Verdict | None) -> None:
        before = self.rollout
        moved = machine.advance(before, self.now, verdict and Judgement(verdict, "because"))
        if moved is not None and moved.action == "advanced":
            assert before.phase is Phase.PROGRESSING or verdict is Verdict.PASSED
        if moved is not None and moved.rollout.step > before.step:
            assert verdict is Verdict.PASSED or not before.plan.steps[before.step].gates
        self._take(moved)

    @rule()
    def somebody_approves(self) -> None:
        if Action.APPROVE in LEGAL[self.rollout.phase]:
            self._take(machine.approve(self.rollout, "mia", Role.APPROVER))

    @invariant()
    def no_clock_leads_beyond_a_gate(self) -> None:
        if not hasattr(self, "rollout") or self.rollout.phase not in EXPOSED:
            return
        seen = parse_exposure(decode(exposure(self.rollout)))
        allowed = self.rollout.plan.steps[self.rollout.step].weight
        for moment in (self.now, self.now + 3_600_000, self.now + 10**12):
            assert seen.weight(moment) <= allowed
        if self.rollout.phase is Phase.PAUSED:
            assert seen.weight(self.now + 10**12) == self.rollout.weight(self.now)

    @invariant()
    def as_the_clock_rises_so_do_weights(self) -> None:
        if not hasattr(self, "rollout") or self.rollout.phase not in EXPOSED:
            return
        weights = [each.weight for each in self.rollout.timeline]
        assert weights == sorted(weights)
        assert [each.at_ms for each in self.rollout.timeline] == sorted({each.at_ms for each in self.rollout.timeline})


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


@given(of=stages(), late=st.integers(0, 10**7))
def test_a_step_that_begins_late_is_as_late_in_all_that_follows(of: list[Stage], late: int) -> None:
    start = 1_800_000_000_000
    rollout = machine.start(rollout_from(asked(of), OLGA), start).rollout
    moved = machine.advance(rollout, rollout.settled_ms + late)
    if moved is None or moved.rollout.phase is not Phase.WAITING:
        return
    gone_on = machine.advance(moved.rollout, rollout.settled_ms + late, Judgement(Verdict.PASSED))
    if gone_on is None or gone_on.rollout.phase is not Phase.PROGRESSING:
        return
    assert all(each.at_ms >= rollout.settled_ms + late for each in gone_on.rollout.timeline)
    assert weight_at(gone_on.rollout.timeline, rollout.settled_ms + late) >= rollout.timeline[-1].weight

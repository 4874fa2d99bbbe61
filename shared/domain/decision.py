"""Compile an entry, when it changes, into functions that decide by a few steps. No bytes whatsoever make it raise."""

from dataclasses import replace
from typing import NoReturn

from shared.domain.codec import decode
from shared.domain.condition import parse_segment, refers
from shared.domain.condition_compiler import compile_condition
from shared.domain.context import EvaluationContext
from shared.domain.entry import Entry, Kind
from shared.domain.exposure import MISUNDERSTOOD, Exposure, exposure_of, is_segment
from shared.domain.exposure_function import EXPOSED, Choice, ExposureSource
from shared.domain.flag import parse_flag, salvage_flag
from shared.domain.flag_branch import flag_branch
from shared.domain.outcome import Branch, Decide, Decision, Outcomes, Side, Test
from shared.domain.references import References, UnresolvedError
from shared.domain.resolution import Arm, Effective, ErrorCode, Reason, Resolution


def decision_of(effective: Effective) -> Decision:
    """Compile what answers for a key."""
    return _Compiler().decision(effective)


class _Compiler:
    """Compiles one entry, with what stands below it, and remembers what it could not understand."""

    def __init__(self) -> None:
        self._unsupported: list[str] = []
        self._moments: set[int] = set()
        self._refers = False

    def decision(self, effective: Effective) -> Decision:
        if is_segment(effective):
            test = self._segment(effective)
            return Decision(test=test, moments=tuple(sorted(self._moments)), unsupported=self._notes)
        branch = self._entry(effective, None)
        if branch.fixed and branch.resolution is None:
            return Decision(unsupported=self._notes)
        decide = _following(branch.decide) if self._refers else branch.decide
        return Decision(decide, branch.resolution, None, tuple(sorted(self._moments)), self._notes)

    @property
    def _notes(self) -> str | None:
        return "; ".join(self._unsupported) or None

    def _entry(self, effective: Effective, side: Side | None) -> Branch:
        """What an entry leads to; on a side of a rollout above it, its own rollout decides in that one's name."""
        exposure = self._exposure(effective.entry)
        if exposure is None:
            return self._baseline(effective, side)
        if exposure.kind == Kind.SEGMENT:
            self._note("a segment cannot be the candidate of a config")
            return self._baseline(effective, side)
        return self._exposed(exposure, effective, side)

    def _exposed(self, exposure: Exposure, effective: Effective, side: Side | None) -> Branch:
        made: dict[tuple[bool, Side], Branch] = {}
        branches: dict[Choice, Branch] = {}
        for choice in Choice:
            exposed, own = choice in EXPOSED, side or side_of(exposure, choice)
            if (exposure.kind if exposed else effective.entry.kind) == Kind.FLAG:
                own = replace(
                    own, reason=Reason.DEFAULT
                )  # a flag has reasons of its own, and is the same for all of them
            if (exposed, own) not in made:
                made[exposed, own] = self._arm(exposure if exposed else None, effective, own)
            branches[choice] = made[exposed, own]
        self._moments.update(exposure.moments)
        called = not all(each.fixed for each in branches.values())
        ways = {choice: each.decide if called else each.resolution for choice, each in branches.items()}
        return Branch(ExposureSource(exposure, ways, called=called).function(), fixed=False)

    def _arm(self, exposure: Exposure | None, effective: Effective, side: Side) -> Branch:
        if exposure is None:
            return self._baseline(effective, side)
        return self._content(exposure.kind, exposure.candidate, Outcomes(effective, side))

    def _baseline(self, effective: Effective, side: Side | None) -> Branch:
        entry = effective.entry
        if entry.kind == Kind.INHERIT:
            below = effective.below
            return Branch.to(None) if below is None else self._entry(below, side)
        if entry.kind in (Kind.MASK, Kind.SEGMENT):
            return Branch.to(None)
        return self._content(entry.kind, entry.value, Outcomes(effective, side))

    def _content(self, kind: str, value: bytes, outcomes: Outcomes) -> Branch:
        if kind == Kind.VALUE:
            return Branch.to(outcomes.plain(value))
        if outcomes.effective.entry.sensitive and not value:
            return Branch.to(outcomes.of(b"", None, Reason.UNKNOWN))
        if kind == Kind.FLAG:
            return self._flag(value, outcomes)
        self._note(f"the kind {kind!r} is not known")
        return Branch.to(outcomes.of(b"", None, Reason.ERROR, ErrorCode.PARSE_ERROR))

    def _flag(self, value: bytes, outcomes: Outcomes) -> Branch:
        try:
            flag = parse_flag(decode(value), outcomes.effective.entry.key)
        except MISUNDERSTOOD as error:
            self._note(f"flag: {error}")
            return Branch.to(_salvaged(value, outcomes))
        self._refers = self._refers or any(refers(each.when) for each in flag.rules)
        return flag_branch(flag, outcomes)

    def _segment(self, effective: Effective) -> Test:
        exposure, baseline = self._exposure(effective.entry), self._segment_below(effective)
        if exposure is None:
            return baseline
        if exposure.kind != Kind.SEGMENT:
            self._note("the candidate of a segment must be a segment")
            return baseline
        candidate = self._audience(exposure.candidate)
        self._moments.update(exposure.moments)
        ways = {choice: candidate if choice in EXPOSED else baseline for choice in Choice}
        test: Test = ExposureSource(exposure, ways, called=True).function()
        return test

    def _segment_below(self, effective: Effective) -> Test:
        """The segment for whoever is not exposed to a candidate."""
        if effective.entry.kind != Kind.INHERIT:
            return self._audience(effective.entry.value)
        return _unresolved if effective.below is None else self._segment(effective.below)

    def _audience(self, value: bytes) -> Test:
        try:
            return compile_condition(parse_segment(decode(value)))
        except MISUNDERSTOOD as error:
            self._note(f"segment: {error}")
            return _unresolved

    def _exposure(self, entry: Entry) -> Exposure | None:
        try:
            exposure = exposure_of(entry)
        except MISUNDERSTOOD as error:
            self._note(f"rollout: {error}")
            return None
        self._refers = self._refers or (exposure is not None and refers(exposure.when))
        return exposure

    def _note(self, what: str) -> None:
        if what not in self._unsupported:
            self._unsupported.append(what)


def _following(decide: Decide) -> Decide:
    return lambda context, now_ms, references: decide(context, now_ms, references.following())


def side_of(exposure: Exposure, choice: Choice) -> Side:
    """The side that a choice leads to, and the reason that a plain value then has."""
    arm = Arm.CANDIDATE if choice in EXPOSED else Arm.BASELINE
    return Side(exposure.id, arm, _REASONS[choice], _ERRORS.get(choice))


_REASONS = {
    Choice.ALL: Reason.STATIC,
    Choice.LET_IN: Reason.TARGETING_MATCH,
    Choice.BUCKET_IN: Reason.SPLIT,
    Choice.BUCKET_OUT: Reason.SPLIT,
    Choice.KEPT_OUT: Reason.DEFAULT,
    Choice.NO_UNIT: Reason.DEFAULT,
    Choice.UNRESOLVED: Reason.DEFAULT,
}
_ERRORS = {Choice.NO_UNIT: ErrorCode.TARGETING_KEY_MISSING, Choice.UNRESOLVED: ErrorCode.GENERAL}


def _salvaged(value: bytes, outcomes: Outcomes) -> Resolution:
    """The default variant of a flag that cannot be understood as a whole, or an error where it has none."""
    try:
        found = salvage_flag(decode(value))
    except MISUNDERSTOOD:
        found = None
    if found is None:
        return outcomes.of(b"", None, Reason.ERROR, ErrorCode.PARSE_ERROR)
    variant, name, on = found
    reason = Reason.DEFAULT if on else Reason.DISABLED
    return outcomes.of(variant, name, reason, ErrorCode.PARSE_ERROR)


def _unresolved(_context: EvaluationContext, _now_ms: int, _references: References) -> NoReturn:
    raise UnresolvedError

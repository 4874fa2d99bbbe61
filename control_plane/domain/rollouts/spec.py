"""What somebody asks of a rollout, and the rollout that comes of it, or all that is wrong with it.

Moments are unix milliseconds. Pointers of violations are those of the request's members.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID, uuid4

from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import InvalidError
from control_plane.domain.gates.parsing import parse_gates
from control_plane.domain.gates.spec import Gate, Outcomes
from control_plane.domain.rollouts.plan import Plan, Point, Step
from control_plane.domain.rollouts.rollout import Rollout
from control_plane.domain.rollouts.words import AtEnd, Strategy
from shared.domain.bucketing import BUCKETINGS, DEFAULT, WHOLE
from shared.domain.codec import Json
from shared.domain.compaction import compacted
from shared.domain.condition import GROUPS, parse_condition
from shared.domain.document import DocumentError, Fault
from shared.domain.entry import Kind
from shared.domain.scope import Scope
from shared.domain.split import TARGETING_KEY
from shared.wire.problem import Violation

MAX_STAGES = 100
INSTANCE = "instance"
_MINUTE, _HOUR = 60_000, 3_600_000
_DEFAULT_PERCENTAGES = ((1_000, 0), (10_000, 10 * _MINUTE), (50_000, 30 * _MINUTE), (WHOLE, _HOUR))
_DEFAULT_CANARY = 5_000
_DEFAULT_CANARY_GATES: Json = [{"type": "acks"}, {"type": "bake", "seconds": 600}]


@dataclass(frozen=True, slots=True)
class Stage:
    """A weight (None: everybody whom `labels` name) from a time after the start, or from a moment on; then gates."""

    weight: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    after_ms: int | None = None
    at_ms: int | None = None
    gates: Json = ()


@dataclass(frozen=True, slots=True)
class NewRollout:
    """A rollout as it is asked for; None leaves it to the strategy. `follows` is the condition on another config."""

    scope: Scope
    key: str
    strategy: Strategy
    kind: Kind
    candidate: bytes
    stages: Sequence[Stage] | None = None
    gates: Json = None
    unit: str | None = None
    salt: str | None = None
    bucketing: str | None = None
    when: Json = None
    users: Sequence[str] = ()
    groups: Sequence[str] = ()
    follows: Json = None
    opens_ms: int | None = None
    closes_ms: int | None = None
    at_end: AtEnd | None = None
    start_at_ms: int | None = None
    sensitive: bool = False
    message: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    asked: Json = None
    id: UUID = field(default_factory=uuid4)


Objections: TypeAlias = Callable[[Gate, str], Iterable[Violation]]
"""Why a gate at a pointer could never be measured, if so."""


def rollout_from(asked: NewRollout, by: Attribution, objections: Objections = lambda _gate, _pointer: ()) -> Rollout:
    """The pending rollout.

    Raises:
        InvalidError: something is wrong with what is asked; all of it is told.
    """
    found: list[Violation] = []
    plan = _Planner(asked, found, objections).plan()
    found += _violations(asked)
    when = _audience(asked, found)
    if found or plan is None:
        raise InvalidError(found)
    return Rollout(
        id=asked.id,
        scope=asked.scope,
        key=asked.key,
        strategy=asked.strategy,
        kind=asked.kind,
        candidate=asked.candidate,
        plan=plan,
        salt=asked.salt or secrets.token_urlsafe(9),
        unit=asked.unit or (INSTANCE if asked.strategy is Strategy.CANARY else TARGETING_KEY),
        bucketing=asked.bucketing or DEFAULT,
        author=by.principal,
        author_role=by.role,
        sensitive=asked.sensitive,
        when=when,
        opens_ms=asked.opens_ms,
        closes_ms=asked.closes_ms,
        at_end=asked.at_end or (AtEnd.REVERT if asked.closes_ms is not None else None),
        start_at_ms=asked.start_at_ms,
        message=asked.message,
        labels=asked.labels,
        asked=asked.asked,
    )


class _Planner:
    """Makes the plan that a strategy has of its stages."""

    def __init__(self, asked: NewRollout, found: list[Violation], objections: Objections) -> None:
        self._asked, self._found, self._objections = asked, found, objections

    def plan(self) -> Plan | None:
        asked = self._asked
        if asked.strategy not in {Strategy.PERCENTAGE, Strategy.CANARY}:
            if asked.stages is not None:
                self._found.append(Violation("/stages", f"a rollout {asked.strategy} has no stages"))
            completes = asked.strategy is Strategy.IMMEDIATE and self._for_everybody
            final = self._gates(asked.gates, "/gates", everybody=True)
            return Plan((Step((Point(WHOLE),), final),), completes)
        stages = self._stages()
        if not stages or len(stages) > MAX_STAGES:
            self._found.append(Violation("/stages", f"from 1 to {MAX_STAGES} stages"))
            return None
        self._check(stages)
        steps = self._steps(stages)
        if steps:
            last = steps[-1]
            final = self._gates(asked.gates, "/gates", everybody=last.weight == WHOLE and not last.labels)
            steps[-1] = Step(last.points, (*last.gates, *final), last.labels)
        whole = bool(steps) and not steps[-1].labels and steps[-1].weight == WHOLE
        return Plan(tuple(steps), completes=whole and self._for_everybody)

    @property
    def _for_everybody(self) -> bool:
        """Whether neither an audience nor a window keeps anybody from the candidate: else completing it would be seen."""
        asked = self._asked
        windowed = asked.opens_ms is not None or asked.closes_ms is not None
        return not (windowed or asked.when or asked.users or asked.groups or asked.follows)

    def _gates(self, document: Json, pointer: str, *, everybody: bool) -> tuple[Gate, ...]:
        """The gates that stand there. `everybody`: no weight and no labels keep anybody from the candidate then."""
        gates = parse_gates(list(document or ()), pointer, self._found)
        asked = self._asked
        all_of_them = everybody and not (asked.when or asked.users or asked.groups or asked.follows)
        for index, gate in enumerate(gates):
            self._found += self._objections(gate, f"{pointer}/{index}")
            if all_of_them and isinstance(gate, Outcomes):
                detail = "where everybody is exposed, outcomes have nothing to be compared with"
                self._found.append(Violation(f"{pointer}/{index}", detail))
        return gates

    def _stages(self) -> list[Stage]:
        if self._asked.stages is not None:
            return list(self._asked.stages)
        if self._asked.strategy is Strategy.PERCENTAGE:
            return [Stage(weight, after_ms=after) for weight, after in _DEFAULT_PERCENTAGES]
        return [Stage(_DEFAULT_CANARY, gates=_DEFAULT_CANARY_GATES), Stage(WHOLE)]

    def _check(self, stages: Sequence[Stage]) -> None:
        weight, after, at = -1, 0, 0
        for index, stage in enumerate(stages):
            pointer = f"/stages/{index}"
            self._found += self._of_stage(pointer, stage, weight)
            weight = max(weight, 0 if stage.labels else stage.weight or 0)
            if stage.after_ms is not None and stage.after_ms < after:
                self._found.append(Violation(f"{pointer}/after", "no stage is sooner than the one before it"))
            if stage.at_ms is not None and stage.at_ms < at:
                self._found.append(Violation(f"{pointer}/at", "no stage is sooner than the one before it"))
            after, at = max(after, stage.after_ms or 0), max(at, stage.at_ms or 0)

    def _of_stage(self, pointer: str, stage: Stage, before: int) -> Iterator[Violation]:
        if stage.labels:
            if self._asked.strategy is not Strategy.CANARY:
                yield Violation(f"{pointer}/labels", "only canaries go by the labels of agents")
            if stage.weight is not None:
                yield Violation(f"{pointer}/weight", "a stage goes by its weight or by labels")
            if before > 0:
                yield Violation(f"{pointer}/labels", "who is exposed by weight already would be left out again")
        elif stage.weight is None:
            yield Violation(f"{pointer}/weight", "a stage has a weight, or labels of agents")
        elif not 0 <= stage.weight <= WHOLE:
            yield Violation(f"{pointer}/weight", f"from 0 to {WHOLE:,}")
        elif stage.weight <= before:
            yield Violation(f"{pointer}/weight", "each weight is above the one before it: nobody is taken out again")
        elif before == 0 and stage.weight < WHOLE and self._went_by_labels(stage):
            yield Violation(
                f"{pointer}/weight", "after stages by labels comes everybody: others would be left out again"
            )

    def _went_by_labels(self, stage: Stage) -> bool:
        stages = list(self._asked.stages or ())
        return any(each.labels for each in stages[: stages.index(stage)])

    def _steps(self, stages: Sequence[Stage]) -> list[Step]:
        """Stages without gates between them are one step, which agents go through by their clocks."""
        steps: list[Step] = []
        points: list[Point] = []
        labels: list[Mapping[str, str]] = []
        before = 0
        for index, stage in enumerate(stages):
            gates = self._gates(
                stage.gates, f"/stages/{index}/gates", everybody=stage.weight == WHOLE and not stage.labels
            )
            if stage.labels:
                labels.append(stage.labels)
            after = before if stage.after_ms is None else stage.after_ms
            points.append(Point(WHOLE if stage.labels else stage.weight or 0, max(0, after - before), stage.at_ms))
            before = max(before, after)
            following = stages[index + 1] if index + 1 < len(stages) else None
            if gates or stage.labels or following is None:
                steps.append(Step(tuple(points), gates, tuple(labels) if stage.labels else ()))
                points = []
        return steps


def _violations(asked: NewRollout) -> Iterator[Violation]:
    """What does not go together."""
    strategy = asked.strategy
    if asked.kind not in {Kind.VALUE, Kind.FLAG, Kind.SEGMENT}:
        yield Violation("/candidate", "a candidate is a value, a flag or a segment")
    if asked.bucketing is not None and asked.bucketing not in BUCKETINGS:
        yield Violation("/bucketing", f"one of {', '.join(BUCKETINGS)}")
    if strategy is Strategy.FEATURE_FLAG and asked.follows is None:
        yield Violation("/follows", "name the config that it follows")
    if strategy is not Strategy.FEATURE_FLAG and asked.follows is not None:
        yield Violation("/follows", "only a rollout feature_flag follows another config")
    if strategy is Strategy.USER_TARGETING and not (asked.users or asked.groups or asked.when):
        yield Violation("/users", "name users, groups or a condition (`when`)")
    if strategy is not Strategy.USER_TARGETING and (asked.users or asked.groups):
        yield Violation("/users" if asked.users else "/groups", "only a rollout user_targeting names users and groups")
    if strategy is Strategy.TIME_BASED and asked.closes_ms is None:
        yield Violation("/window/end", "say when its time is over")
    if asked.at_end is not None and asked.closes_ms is None:
        yield Violation("/window/at_end", "a window without an end has none")
    if asked.opens_ms is not None and asked.closes_ms is not None and asked.closes_ms <= asked.opens_ms:
        yield Violation("/window/end", "a window ends after it starts")


def _audience(asked: NewRollout, found: list[Violation]) -> Json:
    """Whom it is for, as one condition: users or groups, and all else."""
    named = [
        _listed(attribute, texts, pointer, found)
        for attribute, texts, pointer in ((TARGETING_KEY, asked.users, "/users"), (GROUPS, asked.groups, "/groups"))
        if texts
    ]
    parts: list[Json] = [named[0] if len(named) == 1 else {"any": named}] if named else []
    for pointer, condition in (("/when", asked.when), ("/follows", asked.follows)):
        if condition is not None:
            parts.append(compacted(condition))
            found += [Violation(*fault) for fault in _faults(parts[-1], pointer)]
    if not parts:
        return None
    audience = parts[0] if len(parts) == 1 else {"all": parts}
    if not found:  # each is a condition by itself: together they may be too deep, or too many
        found += [Violation("/when", fault.detail) for fault in _faults(audience, "/when")[:1]]
    return audience


def _listed(attribute: str, texts: Sequence[str], pointer: str, found: list[Violation]) -> Json:
    condition = compacted({"attribute": attribute, "op": "in", "values": sorted(set(texts))})
    found += [Violation(pointer, fault.detail) for fault in _faults(condition, pointer)[:1]]
    return condition


def _faults(condition: Json, pointer: str) -> Sequence[Fault]:
    try:
        parse_condition(condition, pointer)
    except DocumentError as error:
        return error.faults
    return ()

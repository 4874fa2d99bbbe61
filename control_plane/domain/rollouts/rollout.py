"""A rollout as it stands, and the document in which it is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from uuid import UUID

from control_plane.domain.access.role import Role
from control_plane.domain.rollouts.plan import Plan
from control_plane.domain.rollouts.timeline import Moment, Timeline, settled_ms, weight_at
from control_plane.domain.rollouts.words import FINISHED, AtEnd, Outcome, Phase, Strategy
from control_plane.domain.transition import StoredRollout, Transition
from shared.domain.codec import Json, canonical, fragment
from shared.domain.scope import Scope


@dataclass(frozen=True, slots=True)
class Given:
    """An approval: by whom, in which role, of which step (-1: of the rollout before it starts)."""

    principal: str
    role: Role
    step: int = -1


@dataclass(frozen=True, slots=True)
class Rollout:
    """The gradual exposure of a candidate over what a config has. Moments are unix milliseconds.

    `candidate` is canonical JSON of its `kind`; `sensitive`: nobody is shown it. `when` is whom it is for at all, in the
    window from `opens_ms` until before `closes_ms`. `timeline` are the weights of the present step. `began_ms` is when
    the step began, with the change of `revision`; `gates_ms` when its gates were begun. `paused_ms`: since when it
    stands still, in the phase `paused_in` otherwise. `asked` is the plan as it was asked for, to make others of.
    """

    id: UUID
    scope: Scope
    key: str
    strategy: Strategy
    kind: str
    candidate: bytes
    plan: Plan
    salt: str
    unit: str
    bucketing: str
    author: str
    author_role: str = ""
    sensitive: bool = False
    when: Json = None
    opens_ms: int | None = None
    closes_ms: int | None = None
    at_end: AtEnd | None = None
    start_at_ms: int | None = None
    phase: Phase = Phase.PENDING
    step: int = 0
    timeline: Timeline = ()
    started_ms: int | None = None
    began_ms: int = 0
    revision: int = 0
    gates_ms: int | None = None
    paused_ms: int | None = None
    paused_in: Phase = Phase.PROGRESSING
    approvals: tuple[Given, ...] = ()
    outcome: Outcome | None = None
    reason: str = ""
    message: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    asked: Json = None
    version: int = 0

    @property
    def finished(self) -> bool:
        """Whether nothing happens to it any more."""
        return self.phase in FINISHED

    @property
    def settled_ms(self) -> int:
        """When the present step has reached its weight."""
        return settled_ms(self.timeline)

    def weight(self, now_ms: int) -> int:
        """How many of 100,000 are exposed."""
        return weight_at(self.timeline, now_ms if self.paused_ms is None else self.paused_ms)

    def document(self) -> dict[str, Json]:
        """All of it that has no column of its own; the candidate is in it, secret or not."""
        document = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in _COLUMNS}
        return document | {
            "candidate": fragment(self.candidate),
            "plan": self.plan.document(),
            "timeline": [list(each) for each in self.timeline],
            "approvals": [[each.principal, each.role, each.step] for each in self.approvals],
            "labels": dict(self.labels),
        }

    def transition(self, action: str, detail: Mapping[str, Json]) -> Transition:
        """What is to be stored, if it still is at its version."""
        return Transition(
            id=self.id,
            expected=self.version,
            scope=self.scope,
            key=self.key,
            strategy=self.strategy,
            phase=self.phase,
            step=self.step,
            finished=self.finished,
            action=action,
            document=self.document(),
            detail=detail,
        )


_COLUMNS = frozenset({"id", "scope", "key", "strategy", "phase", "version"})


def rollout_of(stored: StoredRollout) -> Rollout:
    """A rollout from what was stored of it. The change of its last transition began its step if that did begin one."""
    document = dict(stored.document)
    known = {each.name for each in fields(Rollout)}
    told = {name: value for name, value in document.items() if name in known}
    outcome, at_end = told.get("outcome"), told.get("at_end")
    found = Rollout(
        id=stored.id,
        scope=stored.scope,
        key=stored.key,
        strategy=Strategy(stored.strategy),
        phase=Phase(stored.phase),
        version=stored.version,
        **told
        | {
            "candidate": canonical(told["candidate"]),
            "plan": Plan.from_document(told["plan"]),
            "timeline": tuple(Moment(*each) for each in told["timeline"]),
            "approvals": tuple(Given(who, Role(role), step) for who, role, step in told["approvals"]),
            "outcome": None if outcome is None else Outcome(outcome),
            "at_end": None if at_end is None else AtEnd(at_end),
            "paused_in": Phase(told["paused_in"]),
        },
    )
    return found if found.revision else replace(found, revision=stored.revision or 0)

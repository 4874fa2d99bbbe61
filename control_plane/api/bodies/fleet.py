"""Agents: what they report, and how far a change has come among them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, Self, TypeAlias
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from control_plane.api.bodies.fields import Key, Name, Revision, without_nul
from control_plane.api.bodies.pages import PageQuery
from control_plane.api.bodies.remarks import RemarkBody, RemarkView
from control_plane.api.bodies.scopes import ScopeView
from control_plane.domain.gates.evidence import EvidenceReport, Health, OutcomeCount, Status
from control_plane.ports.lossy import AgentPresence
from control_plane.services.fleet import Convergence
from shared.domain.scope import Revisions
from shared.wire.clock_skew import MAX_SECONDS, ClockSkew
from shared.wire.evidence import MAX_DETAIL, MAX_EXPOSED, MAX_INCARNATION, MAX_OUTCOMES, MAX_STEP
from shared.wire.remark import MAX_REMARKS
from shared.wire.report import MAX_COUNT, MAX_COUNTED_KEYS, MAX_LABELS, MAX_TEXT, ReadCounts, Rejection, Report
from shared.wire.unsupported import MAX_REASON, MAX_UNSUPPORTED, Unsupported

_Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT), AfterValidator(without_nul)]


Count: TypeAlias = Annotated[int, Field(ge=0, le=MAX_COUNT)]


class _Tolerant(BaseModel):
    """A message between programs of different ages: members that this one does not know are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, use_attribute_docstrings=True)


class LevelRevisions(_Tolerant):
    """The last revision that touched each scope."""

    global_: Annotated[Revision, Field(alias="global")]
    app: Revision
    environment: Revision


class RejectionReport(_Tolerant):
    """A change that the agent would not apply."""

    revision: Revision
    reason: Annotated[str, AfterValidator(without_nul)]

    def rejection(self) -> Rejection:
        """The rejection as it is kept."""
        return Rejection(self.revision, self.reason[:MAX_TEXT])


class ReadsReport(_Tolerant):
    """How often applications read which config since the report before."""

    keys: Annotated[dict[Key, Count], Field(max_length=MAX_COUNTED_KEYS)] = {}
    """Reads of one config each."""
    bulk: Count = 0
    """Reads of many configs at once."""
    waiting: Count = 0
    """Keys that are left for the next report."""

    def counts(self) -> ReadCounts:
        """The counts as they are added up."""
        return ReadCounts(dict(self.keys), self.bulk, self.waiting)


class ExposedBody(_Tolerant):
    """A rollout whose candidate the instance serves."""

    rollout: UUID
    step: Annotated[int, Field(ge=0, le=MAX_STEP)]


class HealthBody(_Tolerant):
    """How the application is, since when (unix milliseconds), and with which candidates."""

    status: Literal["healthy", "unhealthy", "unknown"]
    since: Count
    detail: Annotated[str, Field(max_length=MAX_DETAIL), AfterValidator(without_nul)] = ""
    exposed: Annotated[list[ExposedBody], Field(max_length=MAX_EXPOSED)] = []


class OutcomeBody(_Tolerant):
    """How uses of one arm of a rollout ended in the seconds from `at` (unix milliseconds) on."""

    rollout: UUID
    arm: Literal["candidate", "baseline"]
    at: Count
    succeeded: Count
    failed: Count


class EvidenceBody(_Tolerant):
    """One batch. It may be sent again until it is received; its number tells it from others of the same life."""

    incarnation: Annotated[str, Field(pattern="^[0-9A-Za-z]+$", max_length=MAX_INCARNATION)]
    sequence: Count
    health: HealthBody | None = None
    outcomes: Annotated[list[OutcomeBody], Field(max_length=MAX_OUTCOMES)] = []

    def report(self, app_id: str, environment: str, instance: str) -> EvidenceReport:
        """The batch as judges see it."""
        counts = (OutcomeCount(each.rollout, each.arm, each.at, each.succeeded, each.failed) for each in self.outcomes)
        return EvidenceReport(
            app_id,
            environment,
            instance,
            self.sequence,
            tuple(counts),
            tuple(self._health()),
            self.incarnation,
        )

    def _health(self) -> Iterator[Health]:
        if self.health is not None:
            status, since, detail = Status(self.health.status), self.health.since, self.health.detail
            for each in self.health.exposed:
                yield Health(each.rollout, each.step, status, since, detail)


class ClockSkewBody(_Tolerant):
    """Seconds by which the agent's clock is ahead (negative: behind), and how far off that may be."""

    seconds: Annotated[float, Field(ge=-MAX_SECONDS, le=MAX_SECONDS, allow_inf_nan=False)]
    uncertainty: Annotated[float, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False)]


class UnsupportedBody(_Tolerant):
    """A config that the agent cannot understand, as of the change that it came with."""

    key: Key
    revision: Revision
    reason: Annotated[str, AfterValidator(without_nul)]

    def unsupported(self) -> Unsupported:
        """The same as it is kept."""
        return Unsupported(self.key, self.revision, self.reason[:MAX_REASON])


class AgentReport(_Tolerant):
    """An agent's state, as it tells it."""

    instance: _Text
    """The agent's own name among those of its app/environment."""
    app_id: Name
    environment: Name
    agent_version: _Text
    revisions: LevelRevisions
    """What it has applied."""
    state: _Text
    """`hydrating`, `stale` or `live`."""
    transport: _Text
    """By which way it hears of changes."""
    labels: Annotated[dict[_Text, _Text], Field(max_length=MAX_LABELS)] = {}
    rejection: RejectionReport | None = None
    """The change that it refuses, if there is one."""
    health: Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(without_nul)] = ""
    """How its application is: `healthy`, `unhealthy`, `unknown`, or empty where nobody asks it."""
    evidence: EvidenceBody | None = None
    """What it has to say of candidates."""
    clock_skew: ClockSkewBody | None = None
    """How far its clock is from ours; null until it was measured."""
    unsupported: Annotated[list[UnsupportedBody], Field(max_length=MAX_UNSUPPORTED)] = []
    """The configs that it holds and cannot understand: they yield their baseline."""
    remarks: Annotated[list[RemarkBody], Field(max_length=MAX_REMARKS)] = []
    """What else operators should know of it."""
    reads: ReadsReport | None = None
    """What was read there; null from an agent that does not count."""

    def report(self) -> Report:
        """The report as it is kept."""
        return Report(
            instance=self.instance,
            app_id=self.app_id,
            environment=self.environment,
            agent_version=self.agent_version,
            revisions=Revisions(self.revisions.global_, self.revisions.app, self.revisions.environment),
            state=self.state,
            transport=self.transport,
            labels=dict(self.labels),
            rejection=self.rejection.rejection() if self.rejection else None,
            health=self.health,
            clock_skew=ClockSkew(skew.seconds, skew.uncertainty) if (skew := self.clock_skew) else None,
            unsupported=tuple(each.unsupported() for each in self.unsupported),
            remarks=tuple(each.remark() for each in self.remarks),
            reads=self.reads.counts() if self.reads else None,
        )


class AgentQuery(PageQuery):
    """Which agents."""

    app_id: Name | None = None
    """Of this application."""
    environment: Name | None = None
    """Of environments of this name."""


@dataclass(frozen=True, slots=True)
class NextReport:
    """In how many seconds the control plane wants to hear from the agent again."""

    next_report_in: float
    now_ms: int
    """The time here (unix milliseconds): the agent compares its clock with it."""


@dataclass(frozen=True, slots=True)
class RejectionView:
    """A change that an agent would not apply, and why."""

    revision: int
    reason: str

    @classmethod
    def of(cls, rejection: Rejection) -> Self:
        """Show a rejection."""
        return cls(rejection.revision, rejection.reason)


@dataclass(frozen=True, slots=True)
class ClockSkewView:
    """Seconds by which an agent's clock is ahead (negative: behind) of the control plane's, give or take `uncertainty`.

    `suspicious`: it is off by more than two seconds, whatever the measurement's error was.
    """

    seconds: float
    uncertainty: float
    suspicious: bool

    @classmethod
    def of(cls, skew: ClockSkew) -> Self:
        """Show a measurement."""
        return cls(skew.seconds, skew.uncertainty, skew.suspicious)


@dataclass(frozen=True, slots=True)
class UnsupportedView:
    """A config that an agent cannot understand: it yields its baseline there. `revision` is the change it came with."""

    key: str
    revision: int
    reason: str

    @classmethod
    def of(cls, unsupported: Unsupported) -> Self:
        """Show one."""
        return cls(unsupported.key, unsupported.revision, unsupported.reason)


@dataclass(frozen=True, slots=True)
class ShownCredentialView:
    """What an agent showed with its latest report, to be revoked by its id. `own`: given to this instance alone."""

    id: str
    own: bool
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class AgentView:
    """A live agent by its latest report. `revision` is the last change that it has applied."""

    instance: str
    app_id: str
    environment: str
    agent_version: str
    revision: int
    revisions: dict[str, int]
    state: str
    transport: str
    labels: dict[str, str]
    rejection: RejectionView | None
    health: str | None
    """How its application is: `healthy`, `unhealthy`, `unknown`; null where nobody asks it."""
    clock_skew: ClockSkewView | None
    """How far its clock is from the control plane's; null until it was measured."""
    unsupported: tuple[UnsupportedView, ...]
    """Configs that it cannot understand, 100 at most, those that changed last before others."""
    remarks: tuple[RemarkView, ...]
    """What else operators should know of it."""
    counts_reads: bool
    address: str
    seen_at: datetime
    credential: ShownCredentialView | None

    @classmethod
    def of(cls, presence: AgentPresence) -> Self:
        """Show an agent."""
        report, shown = presence.report, presence.credential
        return cls(
            instance=report.instance,
            app_id=report.app_id,
            environment=report.environment,
            agent_version=report.agent_version,
            revision=report.revisions.latest,
            revisions={str(level): revision for level, revision in report.revisions.by_level()},
            state=report.state,
            transport=report.transport,
            labels=report.labels,
            health=report.health or None,
            rejection=RejectionView.of(report.rejection) if report.rejection else None,
            clock_skew=ClockSkewView.of(report.clock_skew) if report.clock_skew else None,
            unsupported=tuple(map(UnsupportedView.of, report.unsupported)),
            remarks=tuple(map(RemarkView.of, report.remarks)),
            counts_reads=report.reads is not None,
            address=presence.address,
            seen_at=presence.seen_at,
            credential=ShownCredentialView(shown.id, shown.own, shown.expires_at) if shown else None,
        )


@dataclass(frozen=True, slots=True)
class ConvergenceView:
    """How far a change has come among the live agents that it concerns.

    `pending` have not applied it yet; `rejected` said that they will not. Both name at most as many as a page.
    """

    revision: int
    scopes: tuple[ScopeView, ...]
    converged: bool
    agents: int
    applied: int
    pending_agents: int
    rejected_agents: int
    pending: tuple[AgentView, ...]
    rejected: tuple[AgentView, ...]

    @classmethod
    def of(cls, convergence: Convergence, at_most: int) -> Self:
        """Show a convergence."""
        return cls(
            revision=convergence.revision,
            scopes=tuple(map(ScopeView.of, convergence.scopes)),
            converged=convergence.converged,
            agents=convergence.agents,
            applied=convergence.applied,
            pending_agents=len(convergence.pending),
            rejected_agents=len(convergence.rejected),
            pending=tuple(map(AgentView.of, convergence.pending[:at_most])),
            rejected=tuple(map(AgentView.of, convergence.rejected[:at_most])),
        )

"""Agents: what they report, and how far a change has come among them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from control_plane.api.bodies.fields import Key, Name, Revision, without_nul
from control_plane.api.bodies.pages import PageQuery
from control_plane.api.bodies.scopes import ScopeView
from control_plane.ports.lossy import AgentPresence
from control_plane.services.fleet import Convergence
from shared.domain.scope import Revisions
from shared.wire.report import MAX_COUNT, MAX_COUNTED_KEYS, MAX_LABELS, MAX_TEXT, ReadCounts, Rejection, Report

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
    counts_reads: bool
    address: str
    seen_at: datetime

    @classmethod
    def of(cls, presence: AgentPresence) -> Self:
        """Show an agent."""
        report = presence.report
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
            rejection=RejectionView.of(report.rejection) if report.rejection else None,
            counts_reads=report.reads is not None,
            address=presence.address,
            seen_at=presence.seen_at,
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

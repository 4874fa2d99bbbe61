"""Policies: what a change needs before it is committed, by the scopes that it reaches."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, Field

from control_plane.api.bodies.fields import Body, Name, Text, without_nul
from control_plane.domain import policy, staging
from control_plane.domain.access.role import Role
from control_plane.domain.policy import NewPolicy, Policy
from control_plane.domain.staging import Staging
from control_plane.domain.window import LONGEST_WINDOW, MAX_SCHEDULE_LENGTH, Window

_LONGEST = 200
_Short = Annotated[str, AfterValidator(without_nul), Field(max_length=_LONGEST)]


class WindowBody(Body):
    """A time in which changes may be committed: from each time that the schedule names, for a while."""

    schedule: Annotated[_Short, Field(max_length=MAX_SCHEDULE_LENGTH, examples=["0 9 * * MON-THU"])]
    """A cron expression: minute, hour, day of month, month, day of week."""
    duration: Annotated[float, Field(gt=0, le=LONGEST_WINDOW.total_seconds(), examples=[28_800])]
    """For how many seconds it is open each time."""
    time_zone: _Short = "UTC"
    """On whose clocks the schedule is read, such as Europe/Stockholm."""


class StagingBody(Body):
    """What the rollouts must have as which alone changes are made."""

    gates: Annotated[list[_Short], Field(max_length=len(staging.GATES), examples=[["bake", "health"]])] = Field(
        default_factory=list
    )
    """Types of gates, each of which a rollout must have before everybody is exposed."""
    bake: Annotated[float, Field(ge=0, le=staging.LONGEST_BAKE.total_seconds())] = 0
    """For how many seconds its `bake` gates wait together before that."""
    first_weight: Annotated[int, Field(ge=0, le=staging.EVERYBODY)] = staging.EVERYBODY
    """The weight that it may expose before its first gate; a rollout that goes by labels of agents exposes 0 by weight."""
    strategies: list[_Short] | None = None
    """Its strategy; null for whichever."""

    @property
    def asked(self) -> Staging:
        """The same in the domain's words."""
        return Staging(
            gates=tuple(self.gates),
            bake=timedelta(seconds=self.bake),
            first_weight=self.first_weight,
            strategies=None if self.strategies is None else tuple(self.strategies),
        )


class PolicyBody(Body):
    """What a policy says. What is left out, it does not ask for."""

    name: Name
    """How people speak of it; no other policy has this name."""
    pattern: Annotated[_Short, Field(examples=["*/prod"])]
    """`global`, `<app>` or `<app>/<environment>`; `*` stands for any part of a name. It applies to changes of all scopes
    that reach such a one: `*/prod` to those of an application with such an environment, and to global ones."""
    description: Text = ""
    """For people."""
    required_approvals: Annotated[int, Field(ge=0, le=policy.MAX_APPROVALS)] = 0
    """How many others have to approve a change."""
    approver_roles: list[Role] | None = None
    """Whose approvals count; null for everybody who may approve."""
    allowed_roles: list[Role] | None = None
    """Who may make such changes; null for everybody who may make any."""
    windows: Annotated[list[WindowBody], Field(max_length=policy.MAX_WINDOWS)] = Field(default_factory=list)
    """When changes may be committed: while one of these is open. Without any, always."""
    require_reason: bool = False
    """Whether a change needs a message."""
    guards: Annotated[dict[_Short, Any], Field(max_length=50)] = Field(default_factory=dict)
    """Settings of guards by their names."""
    expires_after: Annotated[float | None, Field(gt=0, le=policy.LONGEST_WAIT.total_seconds())] = None
    """For how many seconds a change waits for its approvals; null for 30 days."""
    staging: StagingBody | None = None
    """Every change goes as a rollout, which has all of this; null: changes need not."""

    @property
    def asked(self) -> NewPolicy:
        """The policy in the domain's words."""
        return NewPolicy(
            name=self.name,
            pattern=self.pattern,
            description=self.description,
            required_approvals=self.required_approvals,
            approver_roles=None if self.approver_roles is None else tuple(self.approver_roles),
            allowed_roles=None if self.allowed_roles is None else tuple(self.allowed_roles),
            windows=tuple(
                Window(each.schedule, timedelta(seconds=each.duration), each.time_zone) for each in self.windows
            ),
            require_reason=self.require_reason,
            guards=self.guards,
            expires_after=None if self.expires_after is None else timedelta(seconds=self.expires_after),
            staging=None if self.staging is None else self.staging.asked,
        )


@dataclass(frozen=True, slots=True)
class StagingView:
    """What rollouts must have as which alone changes are made. `bake` is in seconds."""

    gates: tuple[str, ...]
    bake: float
    first_weight: int
    strategies: tuple[str, ...] | None

    @classmethod
    def of(cls, asked: Staging) -> Self:
        """Show what a policy asks of rollouts."""
        return cls(asked.gates, asked.bake.total_seconds(), asked.first_weight, asked.strategies)


@dataclass(frozen=True, slots=True)
class WindowView:
    """A time in which changes may be committed. `duration` is in seconds."""

    schedule: str
    duration: float
    time_zone: str


@dataclass(frozen=True, slots=True)
class PolicyView:
    """A policy that is in force. `expires_after` is in seconds; `next_opening` is null while it lets changes pass."""

    id: UUID
    name: str
    pattern: str
    description: str
    required_approvals: int
    approver_roles: tuple[Role, ...] | None
    allowed_roles: tuple[Role, ...] | None
    windows: tuple[WindowView, ...]
    is_open: bool
    next_opening: datetime | None
    require_reason: bool
    guards: Mapping[str, Any]
    expires_after: float | None
    staging: StagingView | None
    version: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str

    @classmethod
    def of(cls, policy: Policy, now: datetime) -> Self:
        """Show a policy as it is now."""
        is_open = policy.is_open(now)
        return cls(
            id=policy.id,
            name=policy.name,
            pattern=policy.pattern,
            description=policy.description,
            required_approvals=policy.required_approvals,
            approver_roles=policy.approver_roles,
            allowed_roles=policy.allowed_roles,
            windows=tuple(
                WindowView(each.schedule, each.duration.total_seconds(), each.time_zone) for each in policy.windows
            ),
            is_open=is_open,
            next_opening=None if is_open else policy.next_opening(now),
            require_reason=policy.require_reason,
            guards=policy.guards,
            expires_after=None if policy.expires_after is None else policy.expires_after.total_seconds(),
            staging=None if policy.staging is None else StagingView.of(policy.staging),
            version=policy.version,
            created_at=policy.created_at,
            created_by=policy.created_by,
            updated_at=policy.updated_at,
            updated_by=policy.updated_by,
        )

"""Rollouts as they are asked for, and what people do with them."""

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, ValidationInfo, field_validator, model_validator

from control_plane.api.bodies.changes import MAX_VERSION
from control_plane.api.bodies.contents import FlagDocument, SegmentDocument, without_default
from control_plane.api.bodies.context import Context
from control_plane.api.bodies.fields import Body, Key, Labels, Name, Placed, Text, Value
from control_plane.api.bodies.intent import Breaking, Force
from control_plane.api.bodies.pages import PageQuery
from control_plane.api.bodies.rollout_plans import RolloutPlan, Strategy
from control_plane.api.bodies.times import Instant
from shared.domain.entry import Kind

MAX_CONTEXTS = 100
MAX_PHASES = 6

Phase: TypeAlias = Literal["pending", "progressing", "waiting", "paused", "completed", "aborted"]


class RolloutOverrides(RolloutPlan):
    """What a rollout exposes, and how. All of it may come from elsewhere: a template, or a rollout that is cloned."""

    app_id: Name | None = None
    """The application; null for the global scope."""
    environment: Name | None = None
    """The environment; null for the application's own scope."""
    key: Key | None = None
    """Which config."""
    candidate: Value = Field(default=b"", json_schema_extra=without_default)
    """The value that is to take the place of what the config has: any JSON."""
    flag: FlagDocument = Field(default=b"", json_schema_extra=without_default)
    """In the place of `candidate`: a flag."""
    segment: SegmentDocument = Field(default=b"", json_schema_extra=without_default)
    """In the place of `candidate`: a segment."""
    message: Text = ""
    """Why, for the record of changes."""
    labels: Labels = Field(default_factory=dict)
    """What its changes belong to: a ticket, a commit."""

    @model_validator(mode="after")
    def _has_one_candidate(self) -> Self:
        if sum(map(bool, (self.candidate, self.flag, self.segment))) > 1:
            msg = "a rollout has one candidate: give `candidate`, `flag` or `segment`"
            raise ValueError(msg)
        return self

    @property
    def kind(self) -> Kind:
        """What the candidate is."""
        return Kind.VALUE if self.exposed is None else self.exposed[0]

    @property
    def exposed(self) -> tuple[Kind, bytes] | None:
        """The candidate and its kind, if one is given."""
        kinds = ((Kind.FLAG, self.flag), (Kind.SEGMENT, self.segment), (Kind.VALUE, self.candidate))
        return next(((kind, content) for kind, content in kinds if content), None)


class NewRollout(RolloutOverrides, Placed):
    """A rollout to make: the candidate, and how it comes to be exposed."""

    template: Name | None = None
    """The plan of this template; members that are given take the place of its own."""
    start: bool = False
    """Start it at once. Without that it is `pending` until somebody does, or its time comes."""
    start_at: Instant | None = None
    """When it starts by itself, if it has its approvals by then."""
    force: Force | None = None
    """Let it be made, and with `start` started, although guards refuse it; a later start needs the word again."""
    break_glass: Breaking | None = None
    """With `start`: start it now, although approvals are missing or no window is open. Opens a review."""
    dry_run: bool = False
    """Only tell what it would do: the answer is its preview."""
    contexts: Annotated[list[Context], Field(max_length=MAX_CONTEXTS)] = Field(default_factory=list)
    """Of previews: for whom to tell at which step they would get the candidate."""

    @model_validator(mode="after")
    def _breaks_glass_to_start(self) -> Self:
        if self.start and self.start_at is not None:
            msg = "it starts now (`start`) or at a time (`start_at`)"
            raise ValueError(msg)
        if self.break_glass is not None and not self.start:
            msg = "glass is broken (`break_glass`) to start now: give `start` as well"
            raise ValueError(msg)
        return self


class RolloutQuery(PageQuery):
    """Which rollouts; every parameter narrows."""

    app_id: Name | None = None
    """Of this application, in all of its scopes."""
    environment: Name | None = None
    """Of this environment of the application."""
    key: Key | None = None
    """Of this config."""
    phase: Annotated[tuple[Phase, ...], Field(max_length=MAX_PHASES)] = ()
    """In this phase; may be repeated."""
    strategy: Strategy | None = None
    """Of this strategy."""

    @field_validator("environment")
    @classmethod
    def _needs_an_application(cls, environment: str | None, info: ValidationInfo) -> str | None:
        if environment is not None and info.data.get("app_id", "wrong in itself") is None:
            msg = "an environment belongs to an application: give app_id as well"
            raise ValueError(msg)
        return environment


class EventQuery(PageQuery):
    """Which events of a rollout."""

    measurements: bool = True
    """Whether to tell the measurements of its gates as well."""


class RolloutAction(Body):
    """Something to do with a rollout."""

    reason: Text = ""
    """Why; it is kept in its history, and is the message of the change."""
    version: Annotated[int | None, Field(ge=1, le=MAX_VERSION)] = None
    """The version that was read, if there is no If-Match. Refused if something happened since."""


class Starting(RolloutAction):
    """How to start a rollout."""

    force: Force | None = None
    """Let the change pass although guards refuse it."""
    break_glass: Breaking | None = None
    """Start it now, although approvals are missing or no window is open. Opens a review."""


class Promoting(RolloutAction):
    """How far to promote a rollout."""

    full: bool = False
    """All the way: the candidate becomes the config's value. Without that, to the next step."""


class Approving(Body):
    """An approval."""

    version: Annotated[int | None, Field(ge=1, le=MAX_VERSION)] = None
    """The version that was read, if there is no If-Match. Refused if something happened since."""

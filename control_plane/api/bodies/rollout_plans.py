"""How a rollout goes: its strategy, its stages with their gates, and whom it is for. Requests and templates have these."""

from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from control_plane.api.bodies.fields import Body, Key, without_nul
from control_plane.api.bodies.times import Instant, Span, Zone, ZonedMoment, in_zone
from control_plane.domain.gates.parsing import parse_gates
from shared.domain.bucketing import BUCKETINGS, WHOLE
from shared.domain.codec import Json, canonical
from shared.domain.condition import parse_condition
from shared.domain.document import DocumentError
from shared.domain.split import MAX_ATTRIBUTE, MAX_SALT
from shared.wire.problem import Violation
from shared.wire.report import MAX_LABELS, MAX_TEXT

MAX_STAGES = 100
MAX_GROUPS = 1_000
MAX_USERS = 200_000
"""Users that one rollout may name one by one."""
LONGEST_USER = 1_024
_NUL = "\\u0000"
"""As canonical JSON spells it."""

Strategy: TypeAlias = Literal["immediate", "percentage", "canary", "feature_flag", "time_based", "user_targeting"]
Weight: TypeAlias = Annotated[int, Field(ge=0, le=WHOLE, examples=[10_000])]
"""How many of 100,000."""


def _object(given: Any) -> Json:
    if not isinstance(given, dict):
        msg = "an object"
        raise ValueError(msg)  # noqa: TRY004 - what validators raise
    return _storable(given)


def _storable(given: Any) -> Json:
    """JSON as it is, if it can be kept: no half of a character, no U+0000, no endless number or depth."""
    without_nul(canonical(given).decode().replace("\\\\", "").replace(_NUL, "\0"))
    return given


_User: TypeAlias = Annotated[str, AfterValidator(without_nul), Field(min_length=1, max_length=LONGEST_USER)]
_Label: TypeAlias = Annotated[str, AfterValidator(without_nul), Field(min_length=1, max_length=MAX_TEXT)]
Condition: TypeAlias = Annotated[
    Json,
    PlainValidator(_object),
    WithJsonSchema(
        {
            "type": "object",
            "description": "A condition on the evaluation context.",
            "examples": [{"attribute": "country", "op": "in", "values": ["SE", "NO"]}],
        }
    ),
]
"""A condition, as it was given; the domain reads it."""
Gate: TypeAlias = Annotated[
    Json,
    PlainValidator(_object),
    WithJsonSchema(
        {
            "type": "object",
            "required": ["type"],
            "description": "What must be shown before the next step.",
            "examples": [{"type": "bake", "seconds": 600}, {"type": "acks", "share": 1.0}],
        }
    ),
]
"""A gate, as it was given; the domain reads it."""
Gates: TypeAlias = list[Gate]


class StageBody(Body):
    """A stage: from when on how many are exposed, and what must be shown before the next one."""

    weight: Weight | None = None
    """How many of 100,000 units are exposed; null: everybody whom `labels` names."""
    labels: Annotated[dict[_Label, _Label], Field(max_length=MAX_LABELS, examples=[{"track": "canary"}])] = Field(
        default_factory=dict
    )
    """Labels of agents: those that have all of them are exposed. Of canaries only."""
    after: Span | None = None
    """How long after the start."""
    at: Instant | None = None
    """When, in the place of `after`."""
    gates: Gates = Field(default_factory=list)
    """What must be shown in this stage before the next one begins."""

    @model_validator(mode="after")
    def _has_one_time(self) -> Self:
        if self.after is not None and self.at is not None:
            msg = "a stage has one time: give `after` or `at`"
            raise ValueError(msg)
        return self


class ExposureWindow(Body):
    """In which time anybody is exposed: from `start` until just before `end`."""

    start: ZonedMoment | None = None
    """When it opens; null: with the rollout."""
    end: ZonedMoment | None = None
    """When it closes; null: never."""
    time_zone: Zone | None = None
    """On whose clocks `start` and `end` are, if they name no offset."""
    at_end: Literal["revert", "keep"] | None = None
    """What happens at the end: `revert`, everybody gets the baseline again, or `keep`, the candidate becomes the value."""

    @model_validator(mode="after")
    def _is_of_some_zone(self) -> Self:
        start, end = self.bounds
        if start is not None and end is not None and end <= start:
            msg = "a window ends after it starts"
            raise ValueError(msg)
        return self

    @property
    def bounds(self) -> tuple[Any, Any]:
        """Start and end in UTC."""
        start, end = (None if each is None else in_zone(each, self.time_zone) for each in (self.start, self.end))
        return start, end


class Following(Body):
    """Another config, and what it must resolve to for whoever asks."""

    config: Key
    """Its key."""
    op: Annotated[str, Field(max_length=20)] = "eq"
    """How its value is compared."""
    values: Annotated[list[Annotated[Any, AfterValidator(_storable)]], Field(min_length=1, max_length=100)] = Field(
        default_factory=lambda: [True]
    )
    """With what; any of them."""


def _of_key(given: Any) -> Any:
    return {"config": given} if isinstance(given, str) else given


class RolloutPlan(Body):
    """How a rollout goes. What is left out has its default for the strategy."""

    strategy: Strategy | None = None
    """`immediate`, `percentage` (of units over time), `canary` (of instances, then everybody), `feature_flag` (while
    another config says so), `time_based` (in a window) or `user_targeting` (users, groups, conditions)."""
    stages: Annotated[list[StageBody] | None, Field(min_length=1, max_length=MAX_STAGES)] = None
    """The stages of `percentage` and `canary`, in the order of their times; null: those that the strategy has by itself."""
    gates: Gates | None = None
    """What must be shown before the candidate becomes the config's value."""
    unit: Annotated[str, AfterValidator(without_nul), Field(min_length=1, max_length=MAX_ATTRIBUTE)] | None = None
    """By what units are told apart: `targetingKey`, `instance` (agents), or an attribute of the context."""
    salt: Annotated[str, AfterValidator(without_nul), Field(max_length=MAX_SALT)] | None = None
    """What spreads the units; rollouts with the same salt expose the same ones first. Null: one of its own."""
    bucketing: Literal[tuple(BUCKETINGS)] | None = None  # type: ignore[valid-type]  # the words are the domain's
    """How a unit finds its bucket; of another product for teams that move from it."""
    when: Condition | None = None
    """Whom it is for at all."""
    users: Annotated[list[_User] | None, Field(min_length=1, max_length=MAX_USERS)] = None
    """Of `user_targeting`: these users, by their `targetingKey`."""
    groups: Annotated[list[_User] | None, Field(min_length=1, max_length=MAX_GROUPS)] = None
    """Of `user_targeting`: everybody in one of these groups."""
    follows: Annotated[Following, BeforeValidator(_of_key, json_schema_input_type=Key | Following)] | None = None
    """Of `feature_flag`: the config that must be true, or what it must be."""
    window: ExposureWindow | None = None
    """When anybody is exposed at all."""

    def violations(self, pointer: str) -> list[Violation]:
        """What is wrong with its gates and conditions, whatever else it is completed with."""
        found: list[Violation] = []
        parse_gates(self.gates or [], f"{pointer}/gates", found)
        for index, stage in enumerate(self.stages or ()):
            parse_gates(stage.gates, f"{pointer}/stages/{index}/gates", found)
        if self.when is not None:
            try:
                parse_condition(self.when, f"{pointer}/when")
            except DocumentError as error:
                found += [Violation(*fault) for fault in error.faults]
        return found

"""The gates of a rollout's step, as they were asked for. Moments and durations are in seconds, as in the API.

`document()` writes every member, also those that were left to their defaults: a stored gate means the same when a later
release has other defaults.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import ClassVar, Literal, TypeAlias

from control_plane.domain.access.role import Role
from shared.domain.codec import Json

Seconds: TypeAlias = int | float

MAX_GATES = 10
"""Of one step."""
LONGEST_SECONDS = 366 * 86_400
SHORTEST_INTERVAL = 0.1
MAX_LIMIT = 100
"""How many measurements a limit may count: as many as are kept one by one."""
MAX_QUERY_LENGTH = 4_000
MAX_URL_LENGTH = 2_000
MAX_SAMPLE = 1_000_000_000
MAX_APPROVERS = 10

COMPARISONS: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {"lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge, "eq": operator.eq, "ne": operator.ne}
)
"""The comparisons of a metric gate, by the words for them."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What all gates have in common.

    `interval` is the time from one measurement to the next. `failure_limit` failures without a pass in between are a failed gate.
    `inconclusive_limit` inconclusive measurements in a row make it wait for a person. `timeout` is the longest time
    without a pass; what it does is `on_timeout`. A dry run is measured and recorded, and decides nothing.
    """

    interval: Seconds
    timeout: Seconds | None = None
    on_timeout: Literal["fail", "hold"] = "fail"
    failure_limit: int = 1
    inconclusive_limit: int | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class _Gate:
    """A gate: its own members, and the common ones. `INTERVAL` is the default interval of its kind."""

    terms: Terms
    TYPE: ClassVar[str]
    INTERVAL: ClassVar[Seconds]

    def document(self) -> dict[str, Json]:
        """The gate in the form in which it is asked for, stored and shown."""
        own = {each.name: _plain(getattr(self, each.name)) for each in fields(self) if each.name != "terms"}
        common = {each.name: getattr(self.terms, each.name) for each in fields(self.terms)}
        return {"type": self.TYPE, **own, **common}


@dataclass(frozen=True, slots=True)
class Bake(_Gate):
    """Time must pass."""

    seconds: Seconds
    TYPE: ClassVar[str] = "bake"
    INTERVAL: ClassVar[Seconds] = 1


@dataclass(frozen=True, slots=True)
class Acks(_Gate):
    """A share of the live agents concerned must have applied the step, and none may have rejected it."""

    share: float = 1.0
    min_agents: int = 1
    TYPE: ClassVar[str] = "acks"
    INTERVAL: ClassVar[Seconds] = 1


@dataclass(frozen=True, slots=True)
class Health(_Gate):
    """Applications that got the candidate must be healthy: at least `min_agents` are, at most `max_unhealthy` are not."""

    max_unhealthy: int = 0
    min_agents: int = 1
    TYPE: ClassVar[str] = "health"
    INTERVAL: ClassVar[Seconds] = 1


@dataclass(frozen=True, slots=True)
class Outcomes(_Gate):
    """The candidate's failure rate must not be above that of the baseline at the same time.

    `minimum` is the sample that each arm must have. `false_alarm` bounds the probability that a candidate which is no
    worse by more than `tolerance` ever fails the gate. It passes while the rate observed is at most `margin` above;
    with `false_pass`, only when it is shown to be less than `margin` above, with that probability of being wrong.
    """

    minimum: int = 100
    false_alarm: float = 0.01
    tolerance: float = 0.0
    margin: float = 0.01
    false_pass: float | None = None
    TYPE: ClassVar[str] = "outcomes"
    INTERVAL: ClassVar[Seconds] = 1


@dataclass(frozen=True, slots=True)
class Metric(_Gate):
    """One number that a Prometheus gives must compare as told. `source` is its name in the settings; "" the first."""

    query: str
    op: str
    value: float
    source: str = ""
    TYPE: ClassVar[str] = "metric"
    INTERVAL: ClassVar[Seconds] = 10


@dataclass(frozen=True, slots=True)
class Webhook(_Gate):
    """Somebody else's service must say so."""

    url: str
    TYPE: ClassVar[str] = "webhook"
    INTERVAL: ClassVar[Seconds] = 10


@dataclass(frozen=True, slots=True)
class Approval(_Gate):
    """People must say so: `count` different ones, of these roles (none: whoever may approve), never the author."""

    count: int = 1
    roles: tuple[Role, ...] = ()
    TYPE: ClassVar[str] = "approval"
    INTERVAL: ClassVar[Seconds] = 1


Gate: TypeAlias = Bake | Acks | Health | Outcomes | Metric | Webhook | Approval

KINDS: Mapping[str, type[Gate]] = MappingProxyType(
    {kind.TYPE: kind for kind in (Bake, Acks, Health, Outcomes, Metric, Webhook, Approval)}
)


def _plain(value: Json) -> Json:
    return [str(each) for each in value] if isinstance(value, tuple) else value

"""What agents report about a candidate: outcomes of their applications by arm, and whether these are healthy.

Outcomes are put together by when they happened, in buckets of a few seconds; what of a bucket is reported late is a
block of its own. So a block never changes once it is closed, both arms of it are of the same seconds, and a flood of late
reports can distort nothing: it is compared with what else happened then and was as late.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias
from uuid import UUID

Arm: TypeAlias = Literal["candidate", "baseline"]

BUCKET_MS = 5_000
"""How long the outcomes of one block take to happen."""
PERIOD_MS = 5_000
"""How long a block waits for reports. Agents report outcomes at least as often."""
OLDEST_MS = 3_600_000
"""Outcomes older than this are not taken any more."""
MAX_BLOCKS = 2_000
"""Of a rollout; the oldest go first. Hours of them, and whoever drives the rollout needs none twice."""
MAX_INSTANCES = 50_000
"""Of a rollout, whose health is kept."""


class Status(StrEnum):
    """What an agent's probe says of its application."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"
    """It applied the candidate, and the probe has not answered since."""


@dataclass(frozen=True, slots=True)
class OutcomeCount:
    """Outcomes of one arm of a rollout that happened around a moment, since the report before."""

    rollout: UUID
    arm: Arm
    at_ms: int
    succeeded: int
    failed: int


@dataclass(frozen=True, slots=True)
class Health:
    """How an application is, since when, under which step of a rollout."""

    rollout: UUID
    step: int
    status: Status
    since_ms: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class EvidenceReport:
    """What one agent has to say. `sequence` rises from report to report of one life of the agent, its `incarnation`.

    A report whose number is not above that of the last one is the same again, and changes nothing.
    """

    app_id: str
    environment: str
    instance: str
    sequence: int
    outcomes: tuple[OutcomeCount, ...] = ()
    health: tuple[Health, ...] = ()
    incarnation: str = ""


@dataclass(frozen=True, slots=True)
class InstanceHealth:
    """How an application is, and which."""

    app_id: str
    environment: str
    instance: str
    health: Health


def bucket_ms(at_ms: int, now_ms: int) -> int:
    """The beginning of the bucket of a moment. Nothing happens in the future, whatever an agent's clock says."""
    return min(at_ms, now_ms) // BUCKET_MS * BUCKET_MS


def closes_ms(bucket: int, now_ms: int) -> int:
    """When the block closes into which a report that comes now brings outcomes of this bucket."""
    first = bucket + BUCKET_MS + PERIOD_MS
    return first if now_ms < first else first + ((now_ms - first) // PERIOD_MS + 1) * PERIOD_MS

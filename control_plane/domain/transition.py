"""What becomes of a rollout, on its way into the transaction of the change that makes it happen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from shared.domain.codec import Json
from shared.domain.scope import Scope


@dataclass(frozen=True, slots=True)
class Transition:
    """A rollout as it is to be stored, if it still is as it was read: at version `expected`, 0 where it is new.

    `action` says what happened, in the past tense (`started`, `paused`, …), and `detail` why, with the evidence; both go
    into its history and into the audit, so no secret is in them. `document` is all of it that has no field here.
    """

    id: UUID
    expected: int
    scope: Scope
    key: str
    strategy: str
    phase: str
    step: int
    finished: bool
    action: str
    document: Mapping[str, Json]
    detail: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredRollout:
    """A rollout as it was stored last. `revision` is that of its last transition, None before the first."""

    id: UUID
    scope: Scope
    key: str
    strategy: str
    phase: str
    version: int
    revision: int | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    document: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class RolloutEvent:
    """One thing that happened to a rollout. `revision` is that of its change, where it was one."""

    seq: int
    at: datetime
    action: str
    principal: str
    phase: str
    step: int
    revision: int | None
    detail: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Template:
    """A plan with a name: the members of a request for a rollout that stay the same."""

    name: str
    description: str
    document: Mapping[str, Json]
    version: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str

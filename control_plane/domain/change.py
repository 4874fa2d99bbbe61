"""A change before and after it is committed."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from shared.domain.entry import Kind
from shared.domain.scope import Scope
from shared.wire.messages import ChangeMessage


class Op(StrEnum):
    """What an operation does with the entry of its key in its scope."""

    PUT = "put"
    """Give the key a value here."""
    DELETE = "delete"
    """Take the entry away; what a less specific scope says shows again."""
    MASK = "mask"
    """Hide the key here, whatever less specific scopes say."""
    UNMASK = "unmask"
    """Take a mask away."""


class Source(StrEnum):
    """The way by which a change came."""

    API = "api"
    CLI = "cli"
    CONSOLE = "console"
    GITOPS = "gitops"
    ROLLOUT = "rollout"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a draft. `value` is canonical JSON, empty unless `op` is put.

    `expected_version` is what the caller read (0: there must be no live entry; None: whatever is there).
    `sensitive` and `description` None keep what the entry has.
    """

    op: Op
    scope: Scope
    key: str
    value: bytes = b""
    sensitive: bool | None = None
    description: str | None = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A change as it is asked for. `pointer`s of problems refer to `operations` by index.

    `base_revision`: refuse if a key of the change moved since. `idempotency_key` with `request_hash`: a second
    commit of the same request returns the first one's result.
    """

    operations: tuple[Operation, ...]
    author: str
    message: str = ""
    source: Source = Source.API
    base_revision: int | None = None
    idempotency_key: str | None = None
    request_hash: bytes = b""
    address: str = ""
    request_id: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Applied:
    """What one operation did: the entry's id and its version after it."""

    op: Op
    id: UUID
    scope: Scope
    key: str
    version: int


@dataclass(frozen=True, slots=True)
class Committed:
    """A committed change (or what it would be: `dry_run`). `messages` are those to send, one per scope.

    `replayed`: this is the result of an earlier request with the same Idempotency-Key; there is nothing to send.
    """

    revision: int
    committed_at: datetime
    applied: tuple[Applied, ...]
    messages: tuple[ChangeMessage, ...]
    dry_run: bool = False
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Config:
    """One config as the API shows it. `value` is canonical JSON; empty for masks, deleted and sensitive entries."""

    id: UUID
    scope: Scope
    key: str
    kind: Kind
    value: bytes
    sensitive: bool
    description: str
    version: int
    revision: int
    deleted: bool
    updated_at: datetime
    updated_by: str


@dataclass(frozen=True, slots=True)
class ConfigVersion:
    """One version of a config, with the change that made it."""

    version: int
    revision: int
    op: Op
    kind: Kind
    value: bytes
    sensitive: bool
    author: str
    message: str
    committed_at: datetime


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """A change as it is looked up later. Sensitive values are left out of its messages."""

    revision: int
    author: str
    message: str
    source: Source
    committed_at: datetime
    scopes: tuple[Scope, ...]
    applied: tuple[Applied, ...]


@dataclass(frozen=True, slots=True)
class App:
    """A registered application."""

    app_id: str
    description: str
    environments: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AgentToken:
    """An agent token without its secret, which is shown once, when it is made."""

    id: UUID
    app_id: str
    environment: str
    description: str
    created_at: datetime
    created_by: str

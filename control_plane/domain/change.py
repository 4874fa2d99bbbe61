"""A change before and after it is committed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from control_plane.domain.access.role import Role
from control_plane.domain.attribution import Attribution, Source
from control_plane.domain.guards import Hit, Mode
from control_plane.domain.staging import Staged
from control_plane.domain.transition import Transition
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
    ROLLOUT = "rollout"
    """Expose a candidate over what the key has here, or expose it otherwise; what it has stays."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a draft. `value` is canonical JSON, empty unless `op` is put (or rollout: what it has).

    `kind` is what the entry is afterwards, `rollout` the exposure that it has (canonical JSON), and `refs` are what its
    rules refer to: keys of configs, and `segment:` with those of segments (`domain/content.py` finds them).

    `expected_version` is what the caller read (0: there must be no live entry; None: whatever is there).
    `sensitive`, `description`, `owner` and `labels` None keep what the entry has. `type_change` and `key_reuse` are the
    guards that the commit itself looks after. `puts_back`: its value stood there before, so a deleted key that it uses
    again means nothing new, and another type is nothing that readers never saw.
    """

    op: Op
    scope: Scope
    key: str
    value: bytes = b""
    sensitive: bool | None = None
    description: str | None = None
    expected_version: int | None = None
    owner: str | None = None
    labels: Mapping[str, str] | None = None
    type_change: Mode = Mode.OFF
    key_reuse: Mode = Mode.OFF
    puts_back: bool = False
    kind: Kind = Kind.VALUE
    rollout: bytes = b""
    refs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Forced:
    """Why guards were overridden, and the names of those that would have refused."""

    reason: str
    guards: tuple[str, ...] = ()


class Aim(StrEnum):
    """How far a request goes with its change."""

    COMMIT = "commit"
    """Commit it now."""
    SUBMIT = "submit"
    """Store it, and let others approve it, or its time come."""
    DRAFT = "draft"
    """Store it, to be worked on."""


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """Why a change is committed past its policies, and which of them would have refused it."""

    reason: str
    policies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A change as it is asked for. `pointer`s of problems refer to `operations` by index.

    `base_revision`: refuse if a key of the change moved since. `idempotency_key` with `request_hash`: a second
    commit of the same request returns the first one's result. `rules_revision`: refuse if policies or schemas are no
    longer what the draft was checked against, `checked_revision`: if an entry of one of its keys is newer, or of
    `linked`: the keys that its references lead to and that refer to it (None: nobody looked at them yet). `edition` is
    given for a change that is stored already: it is committed only if it is still open, and unedited since. `author` is who wrote it, where that is not who commits it. `whole`: it
    comes of a whole document, so it may have more operations than people give one by one. `acting_role` counts where
    policies name roles, if it is not that of `by`; `approvals` are who approved it, each in a role. A draft that is
    committed for its schedule has the time of that. `transition`: what becomes of a rollout with it; `staged`: how that
    rollout goes, where it begins to expose anything.
    """

    operations: tuple[Operation, ...]
    by: Attribution
    message: str = ""
    base_revision: int | None = None
    idempotency_key: str | None = None
    request_hash: bytes = b""
    dry_run: bool = False
    id: UUID = field(default_factory=uuid4)
    edition: int | None = None
    author: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    reverts: int | None = None
    forced: Forced | None = None
    rules_revision: int | None = None
    whole: bool = False
    checked_revision: int | None = None
    linked: tuple[str, ...] | None = None
    aim: Aim = Aim.COMMIT
    scheduled_at: datetime | None = None
    break_glass: BreakGlass | None = None
    transition: Transition | None = None
    staged: Staged | None = None
    acting_role: str = ""
    approvals: tuple[tuple[str, Role], ...] = ()

    @property
    def moves_on(self) -> bool:
        """Whether it only takes a rollout further (or back) that was admitted when it started."""
        return self.transition is not None and self.staged is None

    @property
    def written_by(self) -> str:
        """Whom the change is attributed to."""
        return self.author or self.by.principal


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

    id: UUID
    revision: int
    committed_at: datetime
    applied: tuple[Applied, ...]
    messages: tuple[ChangeMessage, ...]
    dry_run: bool = False
    replayed: bool = False
    hits: tuple[Hit, ...] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """One config as the API shows it. `value` is canonical JSON; empty for masks, deleted and sensitive entries.

    `rollout` is the exposure of a candidate over it, empty if there is none; without the candidate of a sensitive one.
    """

    id: UUID
    scope: Scope
    key: str
    kind: str
    value: bytes
    sensitive: bool
    description: str
    version: int
    revision: int
    deleted: bool
    updated_at: datetime
    updated_by: str
    owner: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    rollout: bytes = b""


@dataclass(frozen=True, slots=True)
class ConfigVersion:
    """One version of a config, with the change that made it."""

    version: int
    revision: int
    op: Op
    kind: str
    value: bytes
    sensitive: bool
    author: str
    message: str
    committed_at: datetime
    rollout: bytes = b""


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """A committed change as it is looked up later.

    `committed_by` differs from the author where somebody else committed it; `reverts` is the revision that it undoes.
    """

    id: UUID
    revision: int
    author: str
    message: str
    source: Source
    committed_at: datetime
    scopes: tuple[Scope, ...]
    applied: tuple[Applied, ...]
    committed_by: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    reverts: int | None = None
    forced: Forced | None = None


@dataclass(frozen=True, slots=True)
class App:
    """A registered application. What is archived (it, or environments of it) is served as ever, and not written to."""

    app_id: str
    description: str
    environments: tuple[str, ...]
    created_at: datetime
    archived_at: datetime | None = None
    archived_environments: tuple[str, ...] = ()

    @property
    def all_environments(self) -> tuple[str, ...]:
        """Those in use and those archived."""
        return tuple(sorted((*self.environments, *self.archived_environments)))


@dataclass(frozen=True, slots=True)
class Deleted:
    """What went with a deleted application or environment.

    `revision` is that of the change that took its entries away; None if it had none.
    """

    scope: Scope
    revision: int | None
    entries: int
    environments: tuple[str, ...]
    tokens: int


@dataclass(frozen=True, slots=True)
class AgentToken:
    """An agent token without its secret, which is shown once, when it is made."""

    id: UUID
    app_id: str
    environment: str
    description: str
    created_at: datetime
    created_by: str

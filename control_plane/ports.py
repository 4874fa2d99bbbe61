"""What the services need from the outside. Adapters implement these; fakes and real ones pass one contract suite."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from control_plane.domain.api_key import ApiKey, NewApiKey
from control_plane.domain.attribution import Attribution
from control_plane.domain.audit import Anchor, AuditFilter, AuditRecord, Link
from control_plane.domain.change import AgentToken, App, ChangeRecord, Committed, Config, ConfigVersion, Deleted, Draft
from control_plane.domain.effects import Standing
from control_plane.domain.history import PastEntry
from control_plane.domain.lifecycle import State as ChangeState
from control_plane.domain.named_snapshot import NamedSnapshot
from control_plane.domain.policy import NewPolicy, Policy
from control_plane.domain.principal import Principal
from control_plane.domain.proposal import Move, Proposal, ProposalFilter, Proposed, Review
from control_plane.domain.rules import RuleSet
from control_plane.domain.schema import Checked, Schema
from control_plane.domain.search import Found, Search
from control_plane.domain.sizes import Size
from control_plane.domain.transfer import Exported, State
from shared.domain.scope import Revisions, Scope
from shared.wire.codec import Json
from shared.wire.messages import ChangeMessage, ScopeState
from shared.wire.report import Report
from shared.wire.snapshot import SnapshotDocument

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list. `next_cursor` is None on the last one."""

    items: tuple[T, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class ConfigFilter:
    """Which configs to list; every given field narrows. `app_id` "" means: of no application (global).

    `labels` are those that a config must have, None for any value.
    """

    app_id: str | None = None
    environment: str | None = None
    scope: str | None = None
    prefix: str | None = None
    text: str | None = None
    include_deleted: bool = False
    owner: str | None = None
    labels: Mapping[str, str | None] = field(default_factory=dict)
    include_archived: bool = True


@dataclass(frozen=True, slots=True)
class Heads:
    """What everything is at: the installation's revision and each touched scope's state, read in one instant."""

    revision: int
    scopes: dict[Scope, ScopeState]


class Changes(Protocol):
    """The one write path, and the record of it."""

    async def commit(self, draft: Draft) -> Committed:
        """Commit all operations of the draft as one change, or nothing.

        Raises:
            NotFoundError: an application or environment of a scope is not registered.
            ConflictError: an entry that must not be there is, or a key moved since `base_revision`.
            VersionMismatchError: `expected_version` of an operation is not the current one.
            KeyReusedError: the idempotency key belongs to another request.
            InvalidError: an operation has nothing to act on (delete or unmask of what is not there).
            UnavailableError: the database is away.
        """
        ...

    async def heads(self) -> Heads:
        """What everything is at now."""
        ...

    async def revision(self) -> int:
        """The installation's committed revision."""
        ...

    async def messages_after(self, revision: int, limit: int) -> list[ChangeMessage]:
        """The messages of the committed changes after `revision`, in revision order, of at most `limit` changes."""
        ...

    async def list_changes(
        self,
        *,
        app_id: str | None,
        limit: int,
        cursor: str | None,
        author: str | None = None,
        labels: Mapping[str, str | None] | None = None,
    ) -> Page[ChangeRecord]:
        """Committed changes, newest first; of one application's scopes, of an author, with labels (None: any value)."""
        ...

    async def get_change(self, revision: int) -> ChangeRecord:
        """One committed change.

        Raises:
            NotFoundError: no change has this revision.
        """
        ...


@dataclass(frozen=True, slots=True)
class Stand:
    """The live entries of some keys in all scopes, secrets included, and the revision at which they are that.

    `secrets` are the places at which a secret stands or stood last: what is put there is one, unless it is said.
    """

    revision: int
    entries: Standing
    secrets: frozenset[tuple[Scope, str]] = frozenset()


class RuleBook(Protocol):
    """What changes are checked against: the rules, and what stands already. Read from where it is written."""

    async def revision(self) -> int:
        """The revision that the rules are at."""
        ...

    async def rules(self) -> RuleSet:
        """Schemas, policies and environments, read in one instant."""
        ...

    async def stand(self, keys: Sequence[str], apps: Sequence[str] | None) -> Stand:
        """What stands for these keys, globally and in these applications (None: in all)."""
        ...

    async def stand_like(self, pattern: str, app_id: str | None) -> Stand:
        """What stands for the keys of a pattern with `*`, globally and in one application (None: in all)."""
        ...

    async def sizes(self, apps: Sequence[str] | None) -> dict[tuple[str, str], Size]:
        """How large the effective snapshots of these applications' environments are (None: of all)."""
        ...


class Schemas(Protocol):
    """The schemas of configs. Writing one alters the rules that changes are checked against."""

    async def get(self, schema_id: UUID) -> Schema:
        """One schema.

        Raises:
            NotFoundError: there is none.
        """
        ...

    async def list(self, app_id: str | None, *, limit: int, cursor: str | None) -> Page[Schema]:
        """Schemas by application and pattern; `app_id` "" means those of all applications, None any."""
        ...

    async def put(self, checked: Checked, by: Attribution) -> Schema:
        """Make a schema or alter it, if what it was checked against is as it was then.

        Raises:
            ValuesMovedError: it is not.
            NotFoundError: its application is not registered.
            ConflictError: there is another one of this application and pattern.
            VersionMismatchError: it is not of the version that was read.
        """
        ...

    async def drop(self, schema_id: UUID, version: int | None, by: Attribution) -> None:
        """Take a schema away.

        Raises:
            NotFoundError: there is none.
            VersionMismatchError: it is not of this version.
        """
        ...


class Policies(Protocol):
    """What changes need before they are committed. Each act moves the rules on, and is attributed and audited."""

    async def create(self, asked: NewPolicy, by: Attribution) -> Policy:
        """Put a policy in force.

        Raises:
            ConflictError: another one has this name.
            InvalidError: there are too many.
        """
        ...

    async def get(self, policy_id: UUID) -> Policy:
        """One policy.

        Raises:
            NotFoundError: there is none.
        """
        ...

    async def list(self, *, limit: int, cursor: str | None) -> Page[Policy]:
        """Policies by name."""
        ...

    async def replace(self, policy_id: UUID, version: int, asked: NewPolicy, by: Attribution) -> Policy:
        """Let a policy say something else.

        Raises:
            NotFoundError: there is none.
            VersionMismatchError: somebody changed it since.
            ConflictError: another one has this name.
        """
        ...

    async def delete(self, policy_id: UUID, version: int, by: Attribution) -> None:
        """Take a policy away.

        Raises:
            NotFoundError: there is none.
            VersionMismatchError: somebody changed it since.
        """
        ...


class Proposals(Protocol):
    """Changes that are stored before they are committed. What happens to one is attributed and audited."""

    async def known(self, draft: Draft) -> Proposed | None:
        """What an earlier request with this draft's Idempotency-Key stored.

        Raises:
            KeyReusedError: the key belongs to another request.
        """
        ...

    async def propose(self, draft: Draft, state: ChangeState, expires_at: datetime | None) -> Proposed:
        """Store a draft.

        Raises:
            KeyReusedError: the Idempotency-Key belongs to another request.
            RulesMovedError: it was checked against other rules than those in force.
        """
        ...

    async def get(self, change_id: UUID, *, secrets: bool = False) -> Proposal:
        """One change by its id, a committed one too; with its secrets only on its way into the commit.

        Raises:
            NotFoundError: there is none.
        """
        ...

    async def list(self, where: ProposalFilter, *, limit: int, cursor: str | None) -> Page[Proposal]:
        """Stored changes, newest first, without the values that they hold."""
        ...

    async def move(self, move: Move) -> None:
        """Let something happen to a stored change.

        Raises:
            StaleProposalError: something else happened to it since it was read.
            RulesMovedError: the rules by which this was decided are no longer in force.
        """
        ...

    async def due(self, limit: int) -> Sequence[Proposal]:
        """Scheduled changes whose time has come, in the order of their times, with their secrets."""
        ...

    async def overdue(self, limit: int) -> Sequence[Proposal]:
        """Changes that waited too long for their approvals."""
        ...

    async def until_due(self) -> float | None:
        """Seconds until something is due or overdue next; None while nothing is going to be."""
        ...

    async def reviews(self, *, is_open: bool | None, limit: int, cursor: str | None) -> Page[Review]:
        """Reviews of commits past their policies, newest first; open or closed ones only, where that is given."""
        ...

    async def close_review(self, review_id: UUID, comment: str, by: Attribution) -> Review:
        """Close a review.

        Raises:
            NotFoundError: there is none.
            ConflictError: it is closed already.
            ForbiddenError: it is about what this principal did.
        """
        ...


class Configs(Protocol):
    """The current entries and their versions."""

    async def get(self, config_id: UUID) -> Config:
        """One config by id, deleted ones too.

        Raises:
            NotFoundError: there is none.
        """
        ...

    async def list(self, where: ConfigFilter, *, limit: int, cursor: str | None) -> Page[Config]:
        """Configs in the order of application, environment and key."""
        ...

    async def value(self, config_id: UUID, version: int) -> bytes:
        """What one version of a config holds, a secret too: to be put again, never to be shown.

        Raises:
            NotFoundError: there is no such version, or it holds no value.
        """
        ...

    async def versions(self, config_id: UUID, *, limit: int, cursor: str | None) -> Page[ConfigVersion]:
        """The versions of one config, newest first.

        Raises:
            NotFoundError: there is no such config.
        """
        ...

    async def snapshot(self, app_id: str, environment: str, since: Revisions | None) -> SnapshotDocument:
        """What an app/environment sees, or what changed in it since, read in one instant. Sensitive values included.

        Raises:
            NotFoundError: the application or the environment is not registered.
        """
        ...


class Searching(Protocol):
    """Finds configs by what is in them. Values of sensitive ones are never looked into."""

    async def search(self, search: Search, *, limit: int, cursor: str | None) -> Page[Found]:
        """Configs in the order of application, environment and key.

        A page may be short although another one follows.
        """
        ...


@dataclass(frozen=True, slots=True)
class Moment:
    """What the installation is at (`now`), and was at the moment asked for (`then`); `ahead`: that is in the future."""

    now: int
    then: int | None
    ahead: bool


class History(Protocol):
    """What stood where at any revision. Entries come with their sensitive values: they are for services, not answers."""

    async def moment(self, at: datetime | None = None) -> Moment:
        """What the installation is at, and was at a moment."""
        ...

    async def keys(self, scopes: Collection[Scope], *, prefix: str, after: str, limit: int) -> list[str]:
        """Keys that ever stood in one of the scopes, in their order: those that follow `after` and begin with `prefix`."""
        ...

    async def entries(self, scopes: Collection[Scope], keys: Sequence[str], revision: int) -> list[PastEntry]:
        """What stood in the scopes under these keys at a revision, deleted entries too."""
        ...

    async def entries_of(self, configs: Collection[UUID], revision: int) -> dict[UUID, PastEntry]:
        """These configs as they stood at a revision; one that had no version then is left out."""
        ...

    async def version(self, config_id: UUID, version: int) -> PastEntry:
        """One version of a config.

        Raises:
            NotFoundError: there is no such config, or it has no such version.
        """
        ...


class Registry(Protocol):
    """Applications and environments. What is registered is attributed and audited."""

    async def create_app(self, app_id: str, description: str, by: Attribution) -> App:
        """Register an application.

        Raises:
            ConflictError: it is registered already.
        """
        ...

    async def get_app(self, app_id: str) -> App:
        """One application with its environments.

        Raises:
            NotFoundError: it is not registered.
        """
        ...

    async def list_apps(self, *, limit: int, cursor: str | None, include_archived: bool = True) -> Page[App]:
        """Applications by name."""
        ...

    async def describe_app(self, app_id: str, description: str, by: Attribution) -> App:
        """Give an application another description.

        Raises:
            NotFoundError: it is not registered.
        """
        ...

    async def archive(self, scope: Scope, by: Attribution, **detail: Json) -> App:
        """Put an application or an environment away: it is served as ever, and nothing is written to it.

        `detail` is kept in the audit record.

        Raises:
            NotFoundError: it is not registered.
        """
        ...

    async def unarchive(self, scope: Scope, by: Attribution) -> App:
        """Bring an archived application or environment back.

        Raises:
            NotFoundError: it is not registered.
        """
        ...

    async def delete(self, scope: Scope, message: str, by: Attribution, **detail: Json) -> Deleted:
        """Delete an application or an environment: its entries by one change, its registration and its tokens.

        All of it or nothing. Where `detail` says that it is `forced`, it need not be archived before.

        Raises:
            NotFoundError: it is not registered.
            ConflictError: it is not archived.
        """
        ...

    async def create_environment(self, app_id: str, environment: str, by: Attribution) -> App:
        """Register an environment of an application and return the application.

        Raises:
            NotFoundError: the application is not registered.
            ConflictError: the environment is registered already.
        """
        ...

    async def environments(self, limit: int) -> list[tuple[str, str]]:
        """All app/environment pairs, at most `limit`; for warming caches."""
        ...


class Transfer(Protocol):
    """Whole scopes, out and in: read in one instant, sensitive values included."""

    def export(
        self, app_id: str | None, *, secrets: bool, audited: Mapping[str, Json], by: Attribution
    ) -> AbstractAsyncContextManager[Exported]:
        """Everything, or one application without the global scope; audited as a reveal before anything is read.

        With `secrets` sensitive values come along, else they are empty.

        Raises:
            NotFoundError: the application is not registered.
        """
        ...

    async def state(
        self, scopes: Collection[Scope], keys: Collection[tuple[Scope, str]], *, rest: bool = False
    ) -> State:
        """What stands under these keys, tombstones and sensitive values too, and which of the scopes are registered.

        With `rest`, also whatever else is live in the scopes, without its value. Never for anybody's eyes.
        """
        ...


class NamedSnapshots(Protocol):
    """Revisions with names. What is named and what is forgotten is attributed and audited."""

    async def create(
        self, name: str, revision: int | None, at: datetime | None, description: str, by: Attribution
    ) -> NamedSnapshot:
        """Name a revision, the last one at an instant, or the latest.

        Raises:
            ConflictError: the name is taken.
            NotFoundError: there is no such revision.
        """
        ...

    async def get(self, name: str) -> NamedSnapshot:
        """One by its name.

        Raises:
            NotFoundError: there is none.
        """
        ...

    async def list(self, *, limit: int, cursor: str | None) -> Page[NamedSnapshot]:
        """By name."""
        ...

    async def delete(self, name: str, by: Attribution) -> None:
        """Forget a name. The revision stays.

        Raises:
            NotFoundError: there is none.
        """
        ...


class Credentials(Protocol):
    """Tokens, kept as hashes. What is done with them is attributed and audited."""

    async def find(self, token_hash: bytes) -> Principal | None:
        """The principal of a token that is neither revoked nor expired."""
        ...

    async def ensure_operator(self, token_hash: bytes, by: Attribution) -> None:
        """Let this token be the bootstrap operator's; any earlier bootstrap token stops working."""
        ...

    async def create_agent_token(
        self, app_id: str, environment: str, token_hash: bytes, description: str, by: Attribution
    ) -> AgentToken:
        """Keep a new agent token's hash.

        Raises:
            NotFoundError: the application or the environment is not registered.
        """
        ...

    async def list_agent_tokens(self, app_id: str, environment: str) -> list[AgentToken]:
        """The tokens of an app/environment that are not revoked."""
        ...

    async def revoke_agent_token(self, app_id: str, environment: str, token_id: UUID, by: Attribution) -> None:
        """Make a token stop working.

        Raises:
            NotFoundError: there is no such token.
        """
        ...

    async def create_api_key(self, asked: NewApiKey, token_hash: bytes, by: Attribution) -> ApiKey:
        """Keep a new API key's hash.

        Raises:
            ConflictError: another one that works has its name.
        """
        ...

    async def list_api_keys(self, *, limit: int, cursor: str | None) -> Page[ApiKey]:
        """The API keys that are not revoked, by name; expired ones too."""
        ...

    async def revoke_api_key(self, key_id: UUID, by: Attribution) -> None:
        """Make an API key stop working.

        Raises:
            NotFoundError: there is no such key.
        """
        ...


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is known of a request with an Idempotency-Key. `answer` is None while the request is under way."""

    request_hash: bytes
    answer: Json | None


class Receipts(Protocol):
    """The answers to requests with an Idempotency-Key that make something other than a change (a draft has its own).

    A key means something only together with its author, and is the same key for changes and for everything else.
    """

    async def begin(self, author: str, key: str, request_hash: bytes) -> Receipt | None:
        """Claim a key: None if it is ours now, else what is known of the request that has it.

        A claim that was never finished, because its process died, can be claimed by the same request a while later.
        """
        ...

    async def finish(self, author: str, key: str, answer: Json) -> None:
        """Keep the answer to the request that claimed the key."""
        ...

    async def forget(self, author: str, key: str) -> None:
        """Give up a claim: the request did nothing."""
        ...


@dataclass(frozen=True, slots=True)
class AuditExtent:
    """From where to where the audit chain reaches: what it goes on from, where it should end, and its newest record."""

    installation: str
    anchor: Link
    head: Link
    newest: int


@dataclass(frozen=True, slots=True)
class AuditLines:
    """Some records as an export has them, and the number up to which all was looked at; None if that was the end."""

    lines: bytes
    count: int
    last: int | None


class AuditLog(Protocol):
    """The audit chain: what is no change is added here; all of it is read, exported and archived."""

    async def record(self, by: Attribution, action: str, object_: str, detail: Json, outcome: str = "done") -> int:
        """Add a record at the head of the chain; returns its number."""
        ...

    async def get(self, seq: int) -> AuditRecord:
        """One record that is not archived.

        Raises:
            NotFoundError: there is none with this number.
        """
        ...

    async def list(self, where: AuditFilter, *, limit: int, cursor: str | None) -> Page[AuditRecord]:
        """Records, newest first. A page may have fewer than `limit`, or none, and yet not be the last one."""
        ...

    async def extent(self) -> AuditExtent:
        """From where to where the chain reaches now."""
        ...

    async def lines(
        self, where: AuditFilter, after: int, through: int, limit: int, *, proving: bool = False
    ) -> AuditLines:
        """Records after one number and up to another, oldest first; `proving`: as they are on the primary."""
        ...

    async def archive(self, by: Attribution, through: int, last_hash: bytes) -> Anchor:
        """Let an export stand for the records up to one.

        Raises:
            NotFoundError: there is no such record, or it is archived already.
            ConflictError: its hash is another, or records before it are missing.
        """
        ...

    async def anchors(self, *, limit: int, cursor: str | None) -> Page[Anchor]:
        """What was archived, newest first."""
        ...

    async def prune(self) -> int:
        """Take away some of the records that are archived; returns how many, 0 if none is left."""
        ...


@dataclass(frozen=True, slots=True)
class OutboxStatus:
    """How far the relay is behind: rows not yet published, and the age in seconds of the oldest one."""

    depth: int
    oldest_age: float


class Outbox(Protocol):
    """The leader's hold on the outbox: lives on the very connection that holds the leadership."""

    async def pending(self, limit: int) -> list[ChangeMessage]:
        """Messages not yet published, in revision order; whole changes only."""
        ...

    async def mark_published(self, messages: Sequence[ChangeMessage]) -> None:
        """Remember that the broker has confirmed these."""
        ...

    async def status(self) -> OutboxStatus:
        """How far behind it is."""
        ...

    async def hold(self) -> None:
        """Make sure that we still lead."""
        ...

    async def prune(self, older_than_seconds: float) -> int:
        """Delete rows published (or, where nothing publishes, committed) longer ago than this; how many."""
        ...


class Leadership(Protocol):
    """One replica leads at a time."""

    def lead(self) -> AbstractAsyncContextManager[Outbox]:
        """Wait until this replica leads, then hold on to it until the block ends.

        Inside the block every call on the outbox raises `UnavailableError` once the leadership is lost.
        """
        ...


class Notices(Protocol):
    """A bell between replicas that may be lost: "look at the database, there is a revision"."""

    async def ring(self, revision: int) -> None:
        """Tell all replicas, this one too. Never raises: a lost ring is made up for by looking once a second."""
        ...

    def listen(self) -> AbstractAsyncContextManager[AsyncIterator[int]]:
        """Hear rings (revisions) until the block ends. Survives the bell's own outages by itself.

        Rings that come while nobody waits melt into the highest one. Waiting for the next one may be cancelled and
        tried again: no ring is lost by that.
        """
        ...


class Cache(Protocol):
    """Bytes that may be lost. Never raises: what fails is a miss."""

    async def get(self, key: str) -> bytes | None:
        """The bytes kept under `key`, or None."""
        ...

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        """Keep bytes for `ttl` seconds."""
        ...


@dataclass(frozen=True, slots=True)
class AgentPresence:
    """An agent's latest report and when it came."""

    report: Report
    address: str
    seen_at: datetime


class Presence(Protocol):
    """The latest report of each live agent; forgotten `ttl` seconds after the last one.

    Raises `UnavailableError` while its store is away.
    """

    async def record(self, presence: AgentPresence, ttl: float) -> None:
        """Keep an agent's latest report."""
        ...

    async def list(self, app_id: str | None = None, environment: str | None = None) -> list[AgentPresence]:
        """The live agents, of one app or app/environment if given, by app, environment and instance."""
        ...


@dataclass(frozen=True, slots=True)
class KeyReads:
    """How often a config was read, and when at last."""

    reads: int
    last_read_at: datetime


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted of an app/environment. `since` is None where nothing ever was, or all of it was lost.

    `bulk` are reads of many configs at once; they are in none of `keys`.
    """

    since: datetime | None
    keys: Mapping[str, KeyReads]
    bulk: int
    last_bulk_at: datetime | None


class ReadCounters(Protocol):
    """How often applications read which config, over all agents and replicas. May be lost.

    Raises `UnavailableError` while its store is away.
    """

    async def add(self, app_id: str, environment: str, keys: Mapping[str, int], bulk: int, at: datetime) -> None:
        """Count on. The first call for an app/environment is when counting began."""
        ...

    async def of(self, app_id: str, environment: str) -> Counted:
        """What was counted."""
        ...


class Publisher(Protocol):
    """Sends to the broker and awaits its confirm."""

    async def publish(self, routing_key: str, body: bytes, *, persistent: bool = True) -> None:
        """Return once the broker has confirmed. What is not persistent may die with the broker.

        Raises:
            UnavailableError: it did not.
        """
        ...

    async def publish_all(self, batch: Sequence[tuple[str, bytes]], *, persistent: bool = True) -> None:
        """Publish in this order and return once all are confirmed; on failure none may be assumed sent.

        Raises:
            UnavailableError: not all were.
        """
        ...


@dataclass(frozen=True, slots=True)
class DependencyState:
    """What readiness says about one dependency. Only a required one that is away makes a replica not ready."""

    name: str
    ok: bool
    required: bool
    detail: str = ""


class Probe(Protocol):
    """Asks one dependency whether it is there."""

    async def probe(self) -> DependencyState:
        """Never raises, and answers within two seconds."""
        ...

"""A store in memory: changes, snapshots, registry and outbox of the control plane, without SQL and without rules.

`tests/contract/test_store.py` holds what it does against PostgreSQL; what nobody needs of it raises.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import anyio
from anyio.lowlevel import checkpoint

from control_plane.domain.attribution import Attribution, Source
from control_plane.domain.change import App, ChangeRecord, Committed, Config, ConfigVersion, Draft
from control_plane.domain.errors import NotFoundError, UnavailableError
from control_plane.ports.changes import Heads
from control_plane.ports.configs import ConfigFilter
from control_plane.ports.outbox import OutboxStatus
from control_plane.ports.pages import Page
from shared.domain.codec import Json, canonical
from shared.domain.entry import Entry, Kind
from shared.domain.resolution import scope_digest
from shared.domain.scope import Level, Lineage, Revisions, Scope
from shared.wire.messages import ChangeMessage, Delete, Put, ScopeState
from shared.wire.snapshot import SnapshotDocument, SnapshotItem

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class FakeStore:
    """Holds everything that is committed. `away` makes every call fail; `queries` counts them by name."""

    def __init__(self, *pairs: tuple[str, str]) -> None:
        self.away = False
        self.queries: list[str] = []
        self.pairs = set(pairs)
        self.messages: list[ChangeMessage] = []
        self.unpublished: list[ChangeMessage] = []
        self._revision = 0
        self._states: dict[Scope, ScopeState] = {}
        self._entries: dict[Scope, dict[str, Entry | Delete]] = {}
        self._touched: dict[tuple[Scope, str], int] = {}

    def write(self, *scopes: Scope, key: str = "key", value: Json = 1, sensitive: bool = False) -> list[ChangeMessage]:
        """Commit one change that puts the same value in each scope; None deletes."""
        self._revision += 1
        written = [self._write_one(scope, scopes, key, value, sensitive=sensitive) for scope in scopes]
        self.messages += written
        self.unpublished += written
        return written

    def _write_one(
        self, scope: Scope, scopes: tuple[Scope, ...], key: str, value: Json, *, sensitive: bool
    ) -> ChangeMessage:
        entries = self._entries.setdefault(scope, {})
        old = entries.get(key)
        version = old.version + 1 if old else 1
        entry: Entry | Delete
        if value is None:
            entry = Delete(key, version)
        else:
            entry = Entry(key, Kind.VALUE, canonical(value), version, self._revision, sensitive)
        entries[key] = entry
        self._touched[scope, key] = self._revision
        before = self._states.get(scope, ScopeState())
        digest = scope_digest(each for each in entries.values() if isinstance(each, Entry))
        self._states[scope] = ScopeState(self._revision, digest)
        operation = entry if isinstance(entry, Delete) else Put(replace(entry, value=b"") if sensitive else entry)
        return ChangeMessage(self._revision, before.revision, scope, scopes, NOW, digest, (operation,))

    async def _asked(self, query: str) -> None:
        self.queries.append(query)
        await checkpoint()
        if self.away:
            dependency = "postgresql"
            raise UnavailableError(dependency, "stopped by the test")

    def forget(self, revision: int) -> None:
        """Prune the messages up to a revision."""
        self.messages = [each for each in self.messages if each.revision > revision]

    async def heads(self) -> Heads:
        await self._asked("heads")
        return Heads(self._revision, dict(self._states))

    async def revision(self) -> int:
        await self._asked("revision")
        return self._revision

    async def messages_after(self, revision: int, limit: int) -> list[ChangeMessage]:
        await self._asked("messages_after")
        return _changes([each for each in self.messages if each.revision > revision], limit)

    async def get_change(self, revision: int) -> ChangeRecord:
        await self._asked("get_change")
        scopes = tuple(each.scope for each in self.messages if each.revision == revision)
        if not scopes:
            kind = "change"
            raise NotFoundError(kind, str(revision))
        return ChangeRecord(UUID(int=revision), revision, "alice", "", Source.API, NOW, scopes, ())

    async def snapshot(self, app_id: str, environment: str, since: Revisions | None) -> SnapshotDocument:
        await self._asked("snapshot")
        if (app_id, environment) not in self.pairs:
            kind = "environment"
            raise NotFoundError(kind, f"{app_id}/{environment}")
        lineage = Lineage.of(app_id, environment)
        states = [self._states.get(scope, ScopeState()) for scope in lineage]
        items: list[SnapshotItem] = []
        for level, scope, known in zip(Level, lineage, since or (0, 0, 0), strict=True):
            for key, entry in self._entries.get(scope, {}).items():
                touched = self._touched[scope, key]
                live = entry if isinstance(entry, Entry) else None
                if touched > known and (live is not None or since is not None):
                    items.append(SnapshotItem(level, key, live, entry.version, touched))
        return SnapshotDocument(
            app_id,
            environment,
            Revisions(*(each.revision for each in states)),
            (states[0].digest, states[1].digest, states[2].digest),
            full=since is None,
            items=tuple(items),
        )

    async def environments(self, limit: int) -> list[tuple[str, str]]:
        await self._asked("environments")
        return sorted(self.pairs)[:limit]

    async def commit(self, draft: Draft) -> Committed:
        raise NotImplementedError

    async def list_changes(
        self,
        *,
        app_id: str | None,
        limit: int,
        cursor: str | None,
        author: str | None = None,
        labels: Mapping[str, str | None] | None = None,
    ) -> Page[ChangeRecord]:
        raise NotImplementedError

    async def get(self, config_id: object) -> Config:
        raise NotImplementedError

    async def list(self, where: ConfigFilter, *, limit: int, cursor: str | None) -> Page[Config]:
        raise NotImplementedError

    async def value(self, config_id: object, version: int) -> bytes:
        raise NotImplementedError

    async def versions(self, config_id: object, *, limit: int, cursor: str | None) -> Page[ConfigVersion]:
        raise NotImplementedError

    async def create_app(self, app_id: str, description: str, by: Attribution) -> App:
        raise NotImplementedError

    async def get_app(self, app_id: str) -> App:
        raise NotImplementedError

    async def list_apps(self, *, limit: int, cursor: str | None) -> Page[App]:
        raise NotImplementedError

    async def create_environment(self, app_id: str, environment: str, by: Attribution) -> App:
        raise NotImplementedError


def _changes(messages: Sequence[ChangeMessage], limit: int) -> list[ChangeMessage]:
    """The messages of the first `limit` changes among these."""
    revisions = sorted({each.revision for each in messages})[:limit]
    return [each for each in messages if each.revision in revisions]


class FakeOutbox:
    """The outbox of a fake store, for whoever leads. `lost` makes every call fail, as does the store's outage."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store
        self.lost = False
        self.pruned: list[float] = []

    async def _asked(self, query: str) -> None:
        if self.lost:
            dependency = "postgresql"
            raise UnavailableError(dependency, "the leadership is lost")
        await self._store._asked(query)

    async def pending(self, limit: int) -> list[ChangeMessage]:
        await self._asked("pending")
        return _changes(self._store.unpublished, limit)

    async def mark_published(self, messages: Sequence[ChangeMessage]) -> None:
        await self._asked("mark_published")
        self._store.unpublished = [each for each in self._store.unpublished if each not in messages]

    async def hold(self) -> None:
        await self.status()

    async def status(self) -> OutboxStatus:
        await self._asked("status")
        return OutboxStatus(len(self._store.unpublished), 0.0)

    async def prune(self, older_than_seconds: float) -> int:
        await self._asked("prune")
        self.pruned.append(older_than_seconds)
        return 0


class FakeLeadership:
    """One of those who share it leads at a time. `current` is the leader's outbox."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store
        self._lock = anyio.Lock()
        self.current: FakeOutbox | None = None
        self.led = 0

    @asynccontextmanager
    async def lead(self) -> AsyncIterator[FakeOutbox]:
        async with self._lock:
            self.current = FakeOutbox(self._store)
            self.led += 1
            try:
                yield self.current
            finally:
                self.current = None

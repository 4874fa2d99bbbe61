"""A control plane as agents see it: a model of what is committed, and a small HTTP server that speaks the wire."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import anyio
from aiohttp import web

from agent.snapshot.model import Snapshot
from shared.domain.codec import encode
from shared.domain.entry import Entry, Kind
from shared.domain.resolution import scope_digest
from shared.domain.scope import Level, Lineage, Revisions, Scope
from shared.runtime.http import Listen, serving
from shared.wire.messages import ChangeMessage, Delete, Heartbeat, Message, Operation, Put, ScopeState
from shared.wire.report import Report
from shared.wire.snapshot import SnapshotDocument, SnapshotItem
from shared.wire.sse import CONTENT_TYPE, frame

APP, ENVIRONMENT = "billing", "prod"
LINEAGE = Lineage.of(APP, ENVIRONMENT)
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass(frozen=True)
class Write:
    """One operation: `value` None deletes; `sensitive` values do not travel in messages."""

    scope: Scope
    key: str
    value: bytes | None = b"1"
    sensitive: bool = False


@dataclass
class _ScopeHistory:
    revision: int = 0
    entries: dict[str, Entry] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    touched: dict[str, int] = field(default_factory=dict)
    states: dict[int, dict[str, Entry]] = field(default_factory=lambda: {0: {}})


class Model:
    """Commits changes and remembers every state there ever was."""

    def __init__(self) -> None:
        self.revision = 0
        self.changes: list[tuple[ChangeMessage, ...]] = []
        self._scopes: dict[Scope, _ScopeHistory] = {}

    def commit(self, *writes: Write) -> tuple[ChangeMessage, ...]:
        """One change; returns its messages, one per scope."""
        self.revision += 1
        scopes = tuple(dict.fromkeys(each.scope for each in writes))
        messages = tuple(
            self._write(scope, scopes, [each for each in writes if each.scope == scope]) for scope in scopes
        )
        self.changes.append(messages)
        return messages

    def _write(self, scope: Scope, scopes: tuple[Scope, ...], writes: Iterable[Write]) -> ChangeMessage:
        history = self._scope(scope)
        operations: list[Operation] = []
        for each in writes:
            version = history.versions[each.key] = history.versions.get(each.key, 0) + 1
            history.touched[each.key] = self.revision
            if each.value is None:
                history.entries.pop(each.key, None)
                operations.append(Delete(each.key, version))
            else:
                entry = Entry(each.key, Kind.VALUE, each.value, version, self.revision, each.sensitive)
                history.entries[each.key] = entry
                told = Entry(each.key, Kind.VALUE, b"", version, self.revision, True) if each.sensitive else entry
                operations.append(Put(told))
        previous, history.revision = history.revision, self.revision
        history.states[self.revision] = dict(history.entries)
        digest = scope_digest(history.entries.values())
        return ChangeMessage(self.revision, previous, scope, scopes, AT, digest, tuple(operations))

    def _scope(self, scope: Scope) -> _ScopeHistory:
        return self._scopes.setdefault(scope, _ScopeHistory())

    def revisions(self, lineage: Lineage = LINEAGE) -> Revisions:
        return Revisions(*(self._scope(each).revision for each in lineage))

    def digests(self, lineage: Lineage = LINEAGE) -> tuple[int, int, int]:
        global_, app, own = (scope_digest(self._scope(each).entries.values()) for each in lineage)
        return global_, app, own

    def heartbeat(self, interval: float = 3.0, lineage: Lineage = LINEAGE) -> Heartbeat:
        states = [ScopeState(*each) for each in zip(self.revisions(lineage), self.digests(lineage), strict=True)]
        return Heartbeat(self.revision, states[0], states[1], states[2], interval)

    def document(self, since: Revisions | None = None, lineage: Lineage = LINEAGE) -> SnapshotDocument:
        """The whole snapshot, or the delta."""
        items = tuple(
            SnapshotItem(level, key, self._scope(scope).entries.get(key), self._scope(scope).versions[key], touched)
            for index, (level, scope) in enumerate(zip(Level, lineage, strict=True))
            for key, touched in self._scope(scope).touched.items()
            if (key in self._scope(scope).entries if since is None else touched > since[index])
        )
        assert lineage.environment.app_id
        assert lineage.environment.environment
        names = lineage.environment.app_id, lineage.environment.environment
        return SnapshotDocument(*names, self.revisions(lineage), self.digests(lineage), since is None, items)

    def scopes_at(self, revisions: Revisions, lineage: Lineage = LINEAGE) -> tuple[dict[str, Entry], ...]:
        """What the scopes held at these revisions."""
        return tuple(self._scope(each).states[at] for each, at in zip(lineage, revisions, strict=True))

    def shows(self, snapshot: Snapshot) -> bool:
        """Whether `snapshot` is a state that a reader may see: each scope as it was, and no change by halves."""
        lineage, at = snapshot.lineage, dict(zip(snapshot.lineage, snapshot.revisions, strict=True))
        if snapshot.scopes != self.scopes_at(snapshot.revisions, lineage):
            return False
        for messages in self.changes:
            ours = [each for each in messages if each.scope in at]
            if len({at[each.scope] >= each.revision for each in ours}) > 1:
                return False
        return True


class ControlPlane:
    """Serves the model over HTTP on a loopback port; can be away, refuse, and be made to answer oddly."""

    def __init__(self, interval: float = 0.2) -> None:
        self.model = Model()
        self.interval = interval
        self.url = ""
        self.reports: list[Report] = []
        self.fetches: list[str | None] = []
        self.status = 200
        self.retry_after: int | None = None
        self.watchable = True
        self.silent = False
        self.spoil: bytes | None = None
        """Answered instead of the next snapshots."""
        self._streams: set[web.StreamResponse] = set()
        self._app = web.Application()
        base = "/api/v1/snapshots/{app}/{environment}"
        self._app.router.add_get(base, self._snapshot)
        self._app.router.add_get(base + "/watch", self._watch)
        self._app.router.add_post("/api/v1/agents/report", self._report)

    @property
    def followers(self) -> int:
        return len(self._streams)

    @asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator["ControlPlane"]:
        app = self._app
        async with serving(app, Listen("127.0.0.1", port), grace=0.1) as listen:
            self.url = f"http://{listen}"
            yield self

    async def send(self, *messages: Message) -> None:
        for message in messages:
            name = "heartbeat" if isinstance(message, Heartbeat) else "change"
            await self.send_raw(name, message.encode())

    async def send_raw(self, event: str, data: bytes) -> None:
        for stream in tuple(self._streams):
            try:
                await stream.write(frame(event, data))
            except ConnectionError:
                self._streams.discard(stream)

    async def commit(self, *writes: Write) -> int:
        await self.send(*self.model.commit(*writes))
        return self.model.revision

    def break_streams(self) -> None:
        for stream in tuple(self._streams):
            transport = stream._req.transport if stream._req is not None else None
            assert transport is not None
            transport.abort()

    def _check(self, request: web.Request) -> None:
        headers = {"Retry-After": str(self.retry_after)} if self.retry_after is not None else {}
        if request.headers.get("Authorization") != "Bearer secret":
            raise web.HTTPUnauthorized
        if self.status != 200:
            raise _Status(self.status, headers)

    async def _snapshot(self, request: web.Request) -> web.Response:
        self.fetches.append(request.query.get("since"))
        self._check(request)
        if self.spoil is not None:
            return web.Response(body=self.spoil, content_type="application/json")
        lineage = Lineage.of(request.match_info["app"], request.match_info["environment"])
        text = request.query.get("since")
        since = Revisions(*(int(each) for each in text.split(","))) if text else None
        response = web.Response(body=self.model.document(since, lineage).encode(), content_type="application/json")
        response.enable_compression(web.ContentCoding.gzip)
        return response

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        self._check(request)
        if not self.watchable:
            raise _Status(503, {})
        lineage = Lineage.of(request.match_info["app"], request.match_info["environment"])
        response = web.StreamResponse(headers={"Content-Type": CONTENT_TYPE})
        await response.prepare(request)
        self._streams.add(response)
        try:
            while True:
                if not self.silent:
                    await response.write(frame("heartbeat", self.model.heartbeat(self.interval, lineage).encode()))
                await anyio.sleep(self.interval)
        except ConnectionError:
            return response
        finally:
            self._streams.discard(response)

    async def _report(self, request: web.Request) -> web.Response:
        self._check(request)
        self.reports.append(Report.from_document(await request.json()))
        return web.Response(
            body=encode({"next_report_in": 1.0, "now_ms": 1_800_000_000_000}), content_type="application/json"
        )


class _Status(web.HTTPException):
    def __init__(self, status: int, headers: dict[str, str]) -> None:
        self.status_code = status
        super().__init__(headers=headers)

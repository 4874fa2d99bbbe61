"""A control plane that only agents see, and that commits thousands of changes a second: for soaking an agent.

It holds what is now and a bounded past, so that its own memory stays flat. Changes are made up from a seed.
"""

from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from aiohttp import web
from anyio import Event, sleep

from shared.domain.codec import Json, canonical, encode
from shared.domain.entry import Entry, Kind
from shared.domain.scope import Level, Lineage, Revisions, Scope
from shared.runtime.http import Listen, serving
from shared.wire.messages import ChangeMessage, Delete, Heartbeat, Operation, Put, ScopeState
from shared.wire.snapshot import SnapshotDocument, SnapshotItem
from shared.wire.sse import CONTENT_TYPE, frame

APP, ENVIRONMENT = "shop", "prod"
TOKEN = "soaking"
INTERVAL = 3.0
"""Seconds between heartbeats, as far as agents are told."""

_LINEAGE = Lineage.of(APP, ENVIRONMENT)
_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_FAR_MS = 4_000_000_000_000
_MAX_TOMBSTONES = 5_000
_COUNTRIES = ["SE", "NO", "DK", "FI", "IS", "DE", "FR"]


@dataclass(slots=True)
class _Held:
    """What one scope holds; `gone` has the keys that were deleted lately, with their version and revision."""

    revision: int = 0
    digest: int = 0
    entries: dict[str, Entry] = field(default_factory=dict)
    gone: OrderedDict[str, tuple[int, int]] = field(default_factory=OrderedDict)
    forgotten: int = 0
    """Deletions up to this revision are not known any more."""

    def put(self, entry: Entry) -> None:
        self._take(entry.key)
        self.gone.pop(entry.key, None)
        self.entries[entry.key] = entry
        self.digest ^= entry.digest

    def delete(self, key: str, version: int, revision: int) -> None:
        self._take(key)
        self.gone[key] = version, revision
        if len(self.gone) > _MAX_TOMBSTONES:
            _, (_, self.forgotten) = self.gone.popitem(last=False)

    def _take(self, key: str) -> None:
        if (old := self.entries.pop(key, None)) is not None:
            self.digest ^= old.digest

    def items(self, level: Level, since: int | None) -> list[SnapshotItem]:
        items = [
            SnapshotItem(level, each.key, each, each.version, each.revision)
            for each in self.entries.values()
            if since is None or each.revision > since
        ]
        if since is not None:
            items += [SnapshotItem(level, key, None, *at) for key, at in self.gone.items() if at[1] > since]
        return items


class Storm:
    """Serves snapshots, reports and the event stream on a loopback port; whoever drives it commits and makes trouble."""

    def __init__(self, seed: int = 1, keys: int = 200) -> None:
        self.url = ""
        self.revision = self.reports = self.fetches = 0
        self._random, self._keys = Random(seed), keys  # noqa: S311 - no secret
        self._scopes = {scope: _Held() for scope in _LINEAGE}
        self._streams: dict[web.StreamResponse, Event] = {}
        self._app = web.Application()
        base = f"/api/v1/snapshots/{APP}/{ENVIRONMENT}"
        self._app.add_routes(
            [
                web.get(base, self._snapshot),
                web.get(base + "/watch", self._watch),
                web.post("/api/v1/agents/report", self._report),
            ]
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Storm"]:
        """Serve until the block ends."""
        async with serving(self._app, Listen("127.0.0.1", 0), grace=0.1) as listen:
            self.url = f"http://{listen}"
            yield self

    def hold(self, entries: Iterable[Entry]) -> None:
        """Have these from the start, in the environment's scope, as one change that was told long ago."""
        self.revision += 1
        held = self._scopes[_LINEAGE.environment]
        held.revision = self.revision
        for each in entries:
            held.put(each)

    async def beat(self) -> None:
        """Be a control plane where nothing happens, until cancelled."""
        while True:
            await self.heartbeat()
            await sleep(INTERVAL / 2)

    def commit(self) -> list[bytes]:
        """Make up one change, of one scope or of two; returns the frames that tell it."""
        self.revision += 1
        scopes = self._random.sample(tuple(_LINEAGE), 2 if self._random.random() < 0.1 else 1)
        return [frame("change", self._write(scope, tuple(scopes)).encode()) for scope in scopes]

    async def send(self, changes: int) -> None:
        """Commit so many changes, and tell them in one piece."""
        await self._tell(b"".join(each for _ in range(changes) for each in self.commit()))

    async def heartbeat(self) -> None:
        """Say what there is."""
        await self._tell(self._heartbeat())

    async def lose(self) -> None:
        """Commit a change that nobody hears of."""
        self.commit()
        await self.send(1)

    async def diverge(self) -> None:
        """Tell of a change that leads elsewhere than it says: agents must refuse it."""
        self.revision += 1
        scope = _LINEAGE.environment
        message = self._write(scope, (scope,))
        wrong = ChangeMessage(
            message.revision,
            message.previous,
            scope,
            message.scopes,
            message.committed_at,
            message.digest ^ 1,
            message.operations,
        )
        await self._tell(frame("change", wrong.encode()))

    async def withhold(self) -> None:
        """Commit a sensitive value, which agents have to fetch."""
        self.revision += 1
        scope = _LINEAGE.environment
        held = self._scopes[scope]
        key, previous = "sensitive.password", held.revision
        old = held.entries.get(key)
        version, value = 1 if old is None else old.version + 1, canonical(f"secret {self.revision}")
        held.put(Entry(key, Kind.VALUE, value, version, self.revision, True))
        held.revision = self.revision
        told = Entry(key, Kind.VALUE, b"", version, self.revision, True)
        message = ChangeMessage(self.revision, previous, scope, (scope,), _AT, held.digest, (Put(told),))
        await self._tell(frame("change", message.encode()))

    async def garble(self) -> None:
        """Say what nobody can read."""
        await self._tell(frame("change", b'{"schema":1,"type":"change","revision":"soon"}'))

    def hang_up(self) -> None:
        """End every stream."""
        for over in self._streams.values():
            over.set()

    def _write(self, scope: Scope, scopes: tuple[Scope, ...]) -> ChangeMessage:
        held, operations = self._scopes[scope], list[Operation]()
        keys = {self._key(held) for _ in range(1 + (self._random.random() < 0.2))}
        for key in keys:
            old = held.entries.get(key)
            version = 1 if old is None else old.version + 1
            if old is not None and key.startswith("passing."):
                held.delete(key, version, self.revision)
                operations.append(Delete(key, version))
            else:
                entry = self._entry(key, version)
                held.put(entry)
                operations.append(Put(entry))
        previous, held.revision = held.revision, self.revision
        return ChangeMessage(self.revision, previous, scope, scopes, _AT, held.digest, tuple(operations))

    def _key(self, held: _Held) -> str:
        """Mostly a key that stays; sometimes one that never was before, or the end of one of those."""
        drawn = self._random.random()
        passing = [key for key in held.entries if key.startswith("passing.")] if drawn < 0.1 else []
        if drawn < 0.05 and len(passing) < self._keys // 10:
            return f"passing.{self.revision}"
        if passing:
            return passing[0]
        kind = "flag" if drawn > 0.9 else "rollout" if drawn > 0.85 else "value"
        return f"{kind}.{self._random.randrange(self._keys // 3 if kind == 'value' else 10)}"

    def _entry(self, key: str, version: int) -> Entry:
        number = self._random.randrange(1_000_000)
        if key.startswith("flag."):
            return Entry(key, Kind.FLAG, canonical(_flag(number)), version, self.revision)
        value: Json = {"enabled": number % 2 == 0, "limit": number, "url": f"https://service-{number}.internal/v2"}
        rollout = canonical(_rollout(number, self.revision)) if key.startswith("rollout.") else b""
        return Entry(key, Kind.VALUE, canonical(value), version, self.revision, rollout=rollout)

    async def _tell(self, frames: bytes) -> None:
        for stream, over in tuple(self._streams.items()):
            try:
                await stream.write(frames)
            except ConnectionError:
                over.set()

    def _heartbeat(self) -> bytes:
        states = [ScopeState(self._scopes[each].revision, self._scopes[each].digest) for each in _LINEAGE]
        return frame("heartbeat", Heartbeat(self.revision, states[0], states[1], states[2], INTERVAL).encode())

    async def _snapshot(self, request: web.Request) -> web.Response:
        self.fetches += 1
        text = request.query.get("since")
        since = [int(each) for each in text.split(",")] if text else None
        held = [self._scopes[each] for each in _LINEAGE]
        if since is not None and any(each.forgotten > at for each, at in zip(held, since, strict=True)):
            since = None
        levels = zip(Level, held, since or (None, None, None), strict=True)
        items = tuple(item for level, each, at in levels for item in each.items(level, at))
        revisions = Revisions(*(each.revision for each in held))
        digests = held[0].digest, held[1].digest, held[2].digest
        document = SnapshotDocument(APP, ENVIRONMENT, revisions, digests, since is None, items)
        return web.Response(body=document.encode(), content_type="application/json")

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": CONTENT_TYPE})
        await response.prepare(request)
        over = self._streams[response] = Event()
        try:
            await response.write(self._heartbeat())
            await over.wait()
        finally:
            del self._streams[response]
        return response

    async def _report(self, request: web.Request) -> web.Response:
        await request.read()
        self.reports += 1
        return web.Response(body=encode({"next_report_in": 1.0}), content_type="application/json")


def _flag(number: int) -> Json:
    when = {"attribute": "country", "op": "in", "values": [_COUNTRIES[number % 7], _COUNTRIES[number // 7 % 7]]}
    split = [{"variant": "on", "weight": number % 100_000}, {"variant": "off", "weight": 100_000 - number % 100_000}]
    rules = [{"when": when, "serve": "on"}, {"split": split}]
    return {"variants": {"on": True, "off": False}, "default": "off", "rules": rules}


def _rollout(number: int, revision: int) -> Json:
    return {
        "schema": 1,
        "id": f"{revision:08x}-0000-4000-8000-000000000000",
        "strategy": "percentage",
        "phase": "progressing",
        "step": 0,
        "kind": "value",
        "candidate": number,
        "salt": f"s{revision}",
        "weights": [[0, number % 100_000], [_FAR_MS, 100_000]],
    }

"""`GET /v1/watch`: an event for every swap, so that an application need not ask again and again."""

from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

import anyio
from aiohttp import web

from agent.local_api.errors import ProblemError
from agent.local_api.replies import CACHE_CONTROL
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from shared.domain.codec import encode
from shared.runtime.connection import SERVER
from shared.wire.problem import Problem, ProblemType
from shared.wire.sse import CONTENT_TYPE, comment, frame

KEEP_ALIVE = 15.0
"""Seconds of silence after which a comment shows that the connection stands."""

MAX_PENDING = 256
"""Events that may wait for one reader; one that is further behind is dropped and may come again."""

MAX_READERS = 256

_COMMENT = comment("keep-alive")


class Reader:
    """One open stream: the frames that wait for it, and its end."""

    def __init__(self, request: web.Request) -> None:
        self.prefix = request.query.get("prefix", "")
        self.scope = anyio.CancelScope()
        self._transport = request.transport
        self._frames: deque[bytes] = deque()
        self._news = anyio.Event()

    def offer(self, frame_: bytes) -> bool:
        """Have a frame sent; False if there are too many already."""
        if len(self._frames) >= MAX_PENDING:
            return False
        self._frames.append(frame_)
        self._news.set()
        return True

    def drop(self) -> None:
        """Break the connection off: its reader takes nothing, so it would not take an end either."""
        if self._transport is not None:
            self._transport.abort()
        self.scope.cancel()

    async def frames(self, keep_alive: float) -> AsyncIterator[bytes]:
        """What to send next, a comment when there is nothing for a while."""
        while True:
            while self._frames:
                yield self._frames.popleft()
            self._news = anyio.Event()
            with anyio.move_on_after(keep_alive) as silence:
                await self._news.wait()
            if silence.cancelled_caught:
                yield _COMMENT


class Watch:
    """All open streams. A change is compared and encoded once, whoever reads."""

    def __init__(self, store: SnapshotStore, keep_alive: float = KEEP_ALIVE) -> None:
        self._store, self._keep_alive = store, keep_alive
        self._readers: set[Reader] = set()
        self.dropped = 0

    @property
    def readers(self) -> int:
        """How many streams are open."""
        return len(self._readers)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """First the revision that stands, then what every swap changed."""
        if len(self._readers) >= MAX_READERS:
            detail = f"{MAX_READERS} streams are open already."
            raise ProblemError(Problem(ProblemType.UNAVAILABLE, detail, retry_after=5))
        response = web.StreamResponse(
            headers={"Content-Type": CONTENT_TYPE, "Cache-Control": CACHE_CONTROL, "Server": SERVER}
        )
        with self._reading(request) as reader, reader.scope:
            try:
                await response.prepare(request)
                async for each in reader.frames(self._keep_alive):
                    await response.write(each)
            except ConnectionError:  # the application went away
                return response
        return response

    def swapped(self, old: Snapshot, new: Snapshot) -> None:
        """Tell every reader what the swap changed."""
        if not self._readers:
            return
        self._tell(new, *difference(old, new))

    def time_passed(self, snapshot: Snapshot, keys: Sequence[str]) -> None:
        """Tell every reader of what may yield something else now, by the clock alone."""
        if self._readers and keys:
            self._tell(snapshot, list(keys), [])

    def _tell(self, snapshot: Snapshot, changed: list[str], removed: list[str]) -> None:
        frames: dict[str, bytes] = {}
        for reader in tuple(self._readers):
            prefix = reader.prefix
            if prefix not in frames:
                frames[prefix] = _change(snapshot.revision, changed, removed, prefix)
            if frames[prefix] and not reader.offer(frames[prefix]):
                self.dropped += 1
                self._readers.discard(reader)
                reader.drop()

    async def close(self, _app: web.Application | None = None) -> None:
        """End all streams, so that a stopping agent does not wait for them."""
        for reader in tuple(self._readers):
            reader.scope.cancel()

    @contextmanager
    def _reading(self, request: web.Request) -> Iterator[Reader]:
        reader = Reader(request)
        reader.offer(frame("snapshot", encode({"revision": self._store.current.revision})))
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)


def difference(old: Snapshot, new: Snapshot) -> tuple[list[str], list[str]]:
    """The keys whose effective config is another one, and those that are gone."""
    before, after = old.effective, new.effective
    changed = [key for key, each in after.items() if (was := before.get(key)) is not each and was != each]
    return changed, [key for key in before if key not in after]


def _change(revision: int, changed: list[str], removed: list[str], prefix: str) -> bytes:
    """The frame for readers of `prefix`; empty when nothing of theirs changed."""
    changed = sorted(key for key in changed if key.startswith(prefix))
    removed = sorted(key for key in removed if key.startswith(prefix))
    if prefix and not changed and not removed:
        return b""
    return frame("change", encode({"revision": revision, "changed": changed, "removed": removed}))

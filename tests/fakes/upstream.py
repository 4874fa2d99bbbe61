"""The agent's ports in memory: a feed and a source over the model control plane, and a keeper."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import anyio

from agent.ports import ReportAnswer, UpstreamUnavailableError
from agent.snapshot.model import Snapshot
from shared.domain.scope import Revisions
from shared.runtime.clock import unix_ms
from shared.wire.messages import Message, decode_message
from shared.wire.report import Report
from shared.wire.snapshot import SnapshotDocument
from tests.fakes.control_plane import Model


class FakeFeed:
    """A feed that is fed by the test; `away` is what entering it raises."""

    def __init__(self, name: str = "fake") -> None:
        self.name = name
        self.away: Exception | None = None
        self.entered = 0
        self._followers: list[anyio.abc.ObjectSendStream[bytes | Exception]] = []

    @property
    def followed(self) -> bool:
        return bool(self._followers)

    def send(self, *messages: Message) -> None:
        for message in messages:
            self.send_raw(message.encode())

    def send_raw(self, item: bytes | Exception) -> None:
        for each in self._followers:
            each.send_nowait(item)  # type: ignore[attr-defined]  # memory streams have it

    def break_off(self) -> None:
        self.send_raw(UpstreamUnavailableError("broke off"))

    @asynccontextmanager
    async def follow(self, since: Revisions) -> AsyncIterator[AsyncIterator[Message]]:
        _ = since
        if self.away is not None:
            raise self.away
        self.entered += 1
        send, receive = anyio.create_memory_object_stream[bytes | Exception](100_000)
        self._followers.append(send)
        with send, receive:
            try:
                yield self._messages(receive)
            finally:
                self._followers.remove(send)

    async def _messages(self, receive: anyio.abc.ObjectReceiveStream[bytes | Exception]) -> AsyncIterator[Message]:
        async for item in receive:
            if isinstance(item, Exception):
                raise item
            yield decode_message(item)


class FakeSource:
    """Answers from the model; `away` and `answer` change what it does."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.away: Exception | None = None
        self.answers: list[SnapshotDocument | Exception] = []
        """Used up before the model is asked."""
        self.fetches: list[Revisions | None] = []
        self.reports: list[Report] = []
        self.refused = 0
        self.next_report_in = 0.2
        self.now_ms: int | None = 1_800_000_000_000
        self.gate = anyio.Event()
        self.gate.set()

    async def fetch(self, since: Revisions | None, at_least: int = 0) -> SnapshotDocument:
        _ = at_least
        self.fetches.append(since)
        if self.away is not None:
            raise self.away
        answer = self.answers.pop(0) if self.answers else self.model.document(since)
        await self.gate.wait()
        if isinstance(answer, Exception):
            raise answer
        return SnapshotDocument.decode(answer.encode())

    async def report(self, report: Report) -> ReportAnswer:
        if self.away is not None:
            self.refused += 1
            raise self.away
        self.reports.append(report)
        return ReportAnswer(self.next_report_in, self.now_ms)


class MemoryKeeper:
    """Keeps the last snapshot in memory; `failure` is what keeping raises."""

    def __init__(self) -> None:
        self.kept: Snapshot | None = None
        self.trouble = ""
        self.failure: OSError | None = None
        self.tidied = 0

    def load(self) -> Snapshot | None:
        return self.kept

    def keep(self, snapshot: Snapshot, document: SnapshotDocument) -> None:
        _ = document
        if self.failure is not None:
            raise self.failure
        self.kept = snapshot

    def tidy(self) -> None:
        self.tidied += 1


class TickingClock:
    """A clock whose seconds are those of the event loop, and whose date stands still."""

    def now(self) -> datetime:
        return datetime(2026, 1, 2, tzinfo=UTC)

    def monotonic(self) -> float:
        return anyio.current_time()

    def now_ms(self) -> int:
        return unix_ms(self.now())

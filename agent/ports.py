"""What the synchronizer needs from the outside: where changes are heard, where snapshots are fetched, where state is kept."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from agent.snapshot.model import Snapshot
from shared.domain.scope import Revisions
from shared.wire.messages import Message
from shared.wire.report import Report
from shared.wire.signature import About, Signature
from shared.wire.snapshot import SnapshotDocument


class UpstreamUnavailableError(Exception):
    """The other side is away or broke off. Temporary; `retry_after` is what it asked for, in seconds."""

    def __init__(self, detail: str, retry_after: float = 0.0) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class UpstreamRefusedError(Exception):
    """The other side will not talk to us as we are: a wrong token, an app/environment that it does not know.

    `status` is what it answered, by HTTP's numbers; 0 where it does not speak that.
    """

    def __init__(self, detail: str, status: int = 0) -> None:
        super().__init__(detail)
        self.status = status


class UntrustedError(UpstreamRefusedError):
    """What came is not signed by a key of the control plane's."""


@dataclass(frozen=True, slots=True)
class ReportAnswer:
    """In how many seconds the control plane wants to hear again, and its time (unix milliseconds) if it tells it."""

    next_report_in: float
    now_ms: int | None = None


class Feed(Protocol):
    """One way of hearing about changes: the broker, or the control plane's event stream."""

    name: str
    """`amqp` or `sse`, for status and reports."""

    def follow(self, since: Revisions) -> AbstractAsyncContextManager[AsyncIterator[Message]]:
        """Hear messages from the moment the block is entered until it ends.

        `since` may be used to replay what came after; it need not be. Entering and iterating raise
        `UpstreamUnavailableError` when the feed is away or breaks, `UpstreamRefusedError` when it will not have us,
        and `UnsupportedSchemaError` at a message that is too new. A message that cannot be read is raised as
        `MalformedMessageError`; iteration can go on after neither: follow again.
        """
        ...


class Source(Protocol):
    """The control plane's HTTP side: snapshots down, reports up."""

    async def fetch(self, since: Revisions | None, at_least: int = 0) -> SnapshotDocument:
        """The delta since the given revisions, or the whole snapshot for None.

        `at_least` is a revision known to be committed: a replica that has not heard of it looks before it answers.

        Raises:
            UpstreamUnavailableError: nobody answers, or not now.
            UpstreamRefusedError: the credentials or the app/environment are not accepted.
            MalformedSnapshotError: the answer cannot be read.
        """
        ...

    async def report(self, report: Report) -> ReportAnswer:
        """Tell the control plane our state; returns when it wants to hear again, and its time.

        Raises:
            UpstreamUnavailableError: nobody answers, or not now.
            UpstreamRefusedError: the credentials are not accepted.
        """
        ...


class Verifier(Protocol):
    """Says whether what came is the control plane's word."""

    async def verify(self, about: About, place: str, body: bytes, signature: Signature | None, channel: str) -> None:
        """Return if this is to be believed.

        Raises:
            UntrustedError: it is not.
            UpstreamUnavailableError: that cannot be told before the control plane was asked.
        """
        ...


class Keeper(Protocol):
    """Where the last known good is kept between runs. `trouble` says why what was kept could not be loaded."""

    trouble: str

    def load(self) -> Snapshot | None:
        """The newest state that is whole and ours, or None. Never raises for a damaged file; it says so in the log."""
        ...

    def keep(self, snapshot: Snapshot, document: SnapshotDocument) -> None:
        """Keep `snapshot`, which `document` led to, before it becomes visible: after a restart we are not behind it.

        Raises:
            OSError: it could not be kept (disk full, read-only); serving goes on all the same.
        """
        ...

    def tidy(self) -> None:
        """Make durable what was kept, and keep it short. May block: called from a thread, while `keep` goes on.

        Raises:
            OSError: it could not be done now.
        """
        ...


__all__ = [
    "Feed",
    "Keeper",
    "ReportAnswer",
    "Source",
    "UntrustedError",
    "UpstreamRefusedError",
    "UpstreamUnavailableError",
    "Verifier",
]

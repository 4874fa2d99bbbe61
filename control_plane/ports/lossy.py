"""What may be lost: losing it costs speed or statistics, never correctness."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.wire.report import Report


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
class ShownCredential:
    """What an agent showed with its report. `own`: its own, for this instance; otherwise one that several may have."""

    id: str
    own: bool
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class AgentPresence:
    """An agent's latest report, when it came, and what was shown with it."""

    report: Report
    address: str
    seen_at: datetime
    credential: ShownCredential | None = None


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

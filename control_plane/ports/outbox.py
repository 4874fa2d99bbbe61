"""What is to be published, by whom, and to what broker."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from shared.wire.messages import ChangeMessage


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

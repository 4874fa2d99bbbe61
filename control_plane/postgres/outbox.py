"""The leader's hold on the outbox (port `Outbox`), on the very connection that holds the leadership."""

from collections.abc import Sequence

import asyncpg

from control_plane.ports.outbox import OutboxStatus
from control_plane.postgres.errors import driver_errors
from control_plane.postgres.queries import sql
from control_plane.postgres.rows import message
from shared.wire.messages import ChangeMessage

_PENDING = sql("pending")
_MARK_PUBLISHED = sql("mark_published")
_STATUS = sql("outbox_status")
_PRUNE = sql("prune_outbox")
_PRUNE_KEYS = sql("prune_idempotency_keys")

BATCH = 10_000
"""Rows deleted by one statement, so that none runs long."""


class PostgresOutbox:
    """Committed messages that are still to be published. When the connection is gone, so is the right to any of it.

    `publishes`: whether a broker is configured at all, so that unpublished rows must stay until it has them.
    """

    def __init__(self, connection: asyncpg.Connection, *, publishes: bool) -> None:
        self._connection = connection
        self._publishes = publishes

    async def pending(self, limit: int) -> list[ChangeMessage]:
        """Messages not yet published of at most `limit` changes, in revision order; whole changes only."""
        with driver_errors():
            return [message(row) for row in await self._connection.fetch(_PENDING, limit)]

    async def mark_published(self, messages: Sequence[ChangeMessage]) -> None:
        """Remember that the broker has confirmed these."""
        revisions, scopes = [each.revision for each in messages], [str(each.scope) for each in messages]
        with driver_errors():
            await self._connection.execute(_MARK_PUBLISHED, revisions, scopes)

    async def status(self) -> OutboxStatus:
        """How far behind it is."""
        with driver_errors():
            row = await self._connection.fetchrow(_STATUS)
        return OutboxStatus(**dict(row or {}))

    async def hold(self) -> None:
        """Make sure that we still lead."""
        with driver_errors():
            await self._connection.execute("select")

    async def prune(self, older_than_seconds: float) -> int:
        """Delete rows published (or, where nothing publishes, committed) longer ago than this; how many.

        The results kept for Idempotency-Keys go by the same age. Both in batches.
        """
        deleted = await self._delete(_PRUNE_KEYS, older_than_seconds, BATCH)
        return deleted + await self._delete(_PRUNE, older_than_seconds, not self._publishes, BATCH)

    async def _delete(self, statement: str, *arguments: object) -> int:
        total, deleted = 0, BATCH
        while deleted == BATCH:
            with driver_errors():
                tag = await self._connection.execute(statement, *arguments)  # such as `DELETE 3`
            deleted = int(tag.rpartition(" ")[2])
            total += deleted
        return total

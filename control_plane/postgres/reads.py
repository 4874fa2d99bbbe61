"""Where heavy reads go: a streaming replica of the database while it is level with the primary, else the primary.

Lists, versions, searches, exports and the reading of snapshots may take a while and touch much, so they can be kept off
the server that commits. They still see all that was committed before they began, whoever committed it: the primary is
asked for the head of its audit chain, which every commit and every audited act moves on, and a replica answers only if
it has come that far, on the very connection that then reads (an address may stand for several replicas). A replica that
is away, behind, or none of this installation costs a moment now and then, never an answer.

What takes part in a write never comes here: configs by id, credentials, receipts, rules, heads, the outbox.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import anyio
import asyncpg

from control_plane.domain.errors import UnavailableError
from control_plane.metrics import Metrics
from control_plane.postgres.errors import driver_errors
from control_plane.postgres.pool import ACQUIRE_TIMEOUT_S, fetch, open_pool
from control_plane.postgres.queries import sql

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

DEPENDENCY = "postgresql-replica"

ANSWER_S = 1.0
"""Within which a replica gives a connection and says how far it is."""
PATIENCE_S = 0.02
"""How long a read waits for a replica that is about to arrive: a network's delay, not a standstill."""
LOOK_AGAIN_S = 0.004
REST_S = 1.0
"""How long a replica that a read had to do without is left alone."""

_INSTALLATION = sql("installation")
_log = logging.getLogger(__name__)


class Reads:
    """Runs what only reads. Without a replica that is the primary's work, at no cost."""

    def __init__(
        self, primary: asyncpg.Pool, replica: asyncpg.Pool | None = None, metrics: Metrics | None = None
    ) -> None:
        self._primary, self._replica, self._metrics = primary, replica, metrics
        self._rests_until = float("-inf")
        self._trouble = ""

    async def fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """Run one statement that only reads.

        Raises:
            UnavailableError: the primary is away.
        """
        async with self._from_replica() as replica:
            if replica is not None:
                try:
                    with driver_errors():
                        rows = await replica.fetch(statement, *arguments)
                except (UnavailableError, asyncpg.PostgresError) as error:  # also a schema that is still on its way
                    _drop(replica)
                    self._do_without(str(error))
                else:
                    self._count("replica")
                    return rows
        self._count("primary")
        return await fetch(self._primary, statement, *arguments)

    async def fetch_row(self, statement: str, *arguments: object) -> asyncpg.Record | None:
        """Run one statement that only reads and gives at most one row."""
        rows = await self.fetch(statement, *arguments)
        return rows[0] if rows else None

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["PoolConnectionProxy[asyncpg.Record]"]:
        """A connection for a read that takes several statements, such as a cursor's.

        Raises:
            UnavailableError: the primary is away.
        """
        async with self._from_replica() as replica:
            if replica is not None:
                self._count("replica")
                yield replica
                return
        self._count("primary")
        with driver_errors():
            connection = await self._primary.acquire(timeout=ACQUIRE_TIMEOUT_S)
        try:
            yield connection
        finally:
            await self._primary.release(connection)

    async def trouble(self) -> str:
        """What keeps the replica from answering now; empty if nothing does, or if there is none.

        Raises:
            UnavailableError: the primary is away, so nobody can say.
        """
        self._rests_until = float("-inf")
        async with self._from_replica():
            return self._trouble

    @asynccontextmanager
    async def _from_replica(self) -> AsyncIterator["PoolConnectionProxy[asyncpg.Record] | None"]:
        """A connection to a replica that has all that is committed by now, or None."""
        if self._replica is None or anyio.current_time() < self._rests_until:
            yield None
            return
        (head,) = await fetch(self._primary, _INSTALLATION)
        connection = await self._borrow(self._replica, head)
        try:
            yield connection
        finally:
            if connection is not None:
                await self._replica.release(connection)

    async def _borrow(
        self, replica: asyncpg.Pool, head: asyncpg.Record
    ) -> "PoolConnectionProxy[asyncpg.Record] | None":
        try:
            with driver_errors():
                connection = await replica.acquire(timeout=ANSWER_S)
        except UnavailableError as error:
            self._do_without(str(error))
            return None
        level = False
        try:
            with driver_errors():
                level = await self._arrives(connection, head)
        except (UnavailableError, asyncpg.PostgresError) as error:
            _drop(connection)
            self._do_without(str(error))
        finally:
            if not level:
                await replica.release(connection)
        return connection if level else None

    async def _arrives(self, connection: "PoolConnectionProxy[asyncpg.Record]", head: asyncpg.Record) -> bool:
        """Whether the replica is at the primary's head, or comes there in a moment."""
        deadline = anyio.current_time() + PATIENCE_S
        while True:
            reached = await connection.fetchrow(_INSTALLATION, timeout=ANSWER_S)
            if reached is None or reached["id"] != head["id"]:
                self._do_without("it is a replica of another installation")
                return False
            if reached["audit_seq"] >= head["audit_seq"]:
                self._do_with_it()
                return True
            if anyio.current_time() >= deadline:
                self._do_without(f"it is {head['audit_seq'] - reached['audit_seq']} audit records behind")
                return False
            await anyio.sleep(LOOK_AGAIN_S)

    def _do_without(self, why: str) -> None:
        self._rests_until = anyio.current_time() + REST_S
        if not self._trouble:
            _log.warning("reading from the primary instead of its replica", extra={"reason": why})
        self._trouble = why
        if self._metrics is not None:
            self._metrics.dependency_errors.labels(DEPENDENCY).inc()

    def _do_with_it(self) -> None:
        if self._trouble:
            _log.info("reading from the replica again")
        self._trouble = ""

    def _count(self, server: str) -> None:
        if self._replica is not None and self._metrics is not None:
            self._metrics.heavy_reads.labels(server).inc()


def _drop(connection: "PoolConnectionProxy[asyncpg.Record]") -> None:
    """Give up a connection that may hang; one that is gone was taken out of the pool already."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


@asynccontextmanager
async def open_reads(primary: asyncpg.Pool, replica_url: str, size: int, metrics: Metrics) -> AsyncIterator[Reads]:
    """Heavy reads over the replica at a URL, or over the primary if there is none. Nobody waits for the replica."""
    if not replica_url:
        yield Reads(primary)
        return
    async with open_pool(replica_url, size, replica=True) as replica:
        yield Reads(primary, replica, metrics)

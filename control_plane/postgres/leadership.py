"""One replica leads at a time (port `Leadership`): a session's advisory lock, which ends with its connection."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import asyncpg

from control_plane.postgres.errors import driver_errors
from control_plane.postgres.outbox import PostgresOutbox
from control_plane.postgres.pool import ACQUIRE_TIMEOUT_S, COMMAND_TIMEOUT_S, SESSION

POLL_S = 0.5
"""How often a follower tries, give or take half of that."""
CLOSE_TIMEOUT_S = 2.0

_TRY_LOCK = "select pg_try_advisory_lock(hashtextextended($1, 0))"
# A leader that vanished without a word (power, network) loses its session, and with it the lock, after about 5 s.
_NOTICE_A_VANISHED_LEADER = {
    "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "5000",
}


class PostgresLeadership:
    """Leads under `name`; replicas that use the same database and name take turns.

    `publishes`: whether a broker is configured; without one nobody waits for unpublished outbox rows.
    """

    def __init__(self, dsn: str, name: str, *, publishes: bool = True) -> None:
        self._dsn = dsn
        self._name = name
        self._publishes = publishes
        self._random = random.Random()  # noqa: S311 - jitter, no secret

    @asynccontextmanager
    async def lead(self) -> AsyncIterator[PostgresOutbox]:
        """Wait until this replica leads, then hold on to it until the block ends.

        Raises:
            UnavailableError: the database is away, or went away while waiting.
        """
        connection = await self._connect()
        try:
            await self._wait_for_lock(connection)
            yield PostgresOutbox(connection, publishes=self._publishes)
        finally:
            with anyio.move_on_after(CLOSE_TIMEOUT_S, shield=True) as closing, driver_errors():
                await connection.close(timeout=CLOSE_TIMEOUT_S)
            if closing.cancelled_caught:
                connection.terminate()

    async def _connect(self) -> asyncpg.Connection:
        with driver_errors():
            return await asyncpg.connect(
                self._dsn,
                timeout=ACQUIRE_TIMEOUT_S,
                command_timeout=COMMAND_TIMEOUT_S,
                server_settings=SESSION | _NOTICE_A_VANISHED_LEADER | {"application_name": f"trimtab {self._name}"},
            )

    async def _wait_for_lock(self, connection: asyncpg.Connection) -> None:
        while True:
            with driver_errors():
                if await connection.fetchval(_TRY_LOCK, self._name):
                    return
            await anyio.sleep(self._random.uniform(POLL_S / 2, POLL_S * 1.5))

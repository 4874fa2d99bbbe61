"""The connections of one replica, and the one way in which its statements run: errors translated, time bounded."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import asyncpg

from control_plane.domain.errors import UnavailableError
from control_plane.postgres.errors import driver_errors

_log = logging.getLogger(__name__)

ACQUIRE_TIMEOUT_S = 5.0
"""For a free connection, or for opening one."""
COMMAND_TIMEOUT_S = 15.0
"""For the answer to one statement."""
CLOSE_TIMEOUT_S = 5.0
IDLE_LIFETIME_S = 300.0

SESSION = {
    "application_name": "trimtab",
    "timezone": "UTC",
    "default_transaction_isolation": "read committed",  # `trimtab_commit` relies on it
    "jit": "off",  # short statements, for which compiling never pays
}
READ_ONLY = {"default_transaction_read_only": "on"}


@asynccontextmanager
async def open_pool(dsn: str, size: int = 20, *, replica: bool = False) -> AsyncIterator[asyncpg.Pool]:
    """Connections to the database at `dsn`, at most `size`, opened as they are needed and opened again when they break.

    A `replica` is only read, and need not be there yet.

    Raises:
        UnavailableError: the database cannot be reached now.
    """
    with driver_errors():
        pool = await asyncpg.create_pool(
            dsn,
            min_size=0 if replica else 1,
            max_size=size,
            command_timeout=COMMAND_TIMEOUT_S,
            timeout=ACQUIRE_TIMEOUT_S,
            max_inactive_connection_lifetime=IDLE_LIFETIME_S,
            reset=_keep_session,
            server_settings=SESSION | (READ_ONLY if replica else {}),
        )
    try:
        yield pool
    finally:
        with anyio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
            await _close(pool)
        pool.terminate()


async def _close(pool: asyncpg.Pool) -> None:
    """Say goodbye. A connection whose last statement was cut off may not be able to; then all of them are dropped."""
    try:
        with driver_errors():
            await pool.close()
    except UnavailableError as error:
        _log.info("the connections to PostgreSQL were dropped", extra={"reason": str(error)})


async def _keep_session(_connection: object) -> None:
    """Nothing here changes its session, so there is no reset that would cost every statement a round trip more."""


async def fetch(
    pool: asyncpg.Pool, statement: str, *arguments: object, in_flight: str | None = None
) -> list[asyncpg.Record]:
    """Run one statement in a transaction of its own.

    Raises:
        UnavailableError: the database is away; `in_flight` says what that means once the statement was sent.
    """
    with driver_errors():
        connection = await pool.acquire(timeout=ACQUIRE_TIMEOUT_S)
    try:
        with driver_errors(in_flight=in_flight):
            return await connection.fetch(statement, *arguments)
    finally:
        await pool.release(connection)


async def fetch_row(pool: asyncpg.Pool, statement: str, *arguments: object) -> asyncpg.Record | None:
    """Run one statement that gives at most one row."""
    rows = await fetch(pool, statement, *arguments)
    return rows[0] if rows else None

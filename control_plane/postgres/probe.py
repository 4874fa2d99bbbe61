"""Asks PostgreSQL whether it is there (port `Probe`)."""

import anyio
import asyncpg

from control_plane.domain.errors import TrimtabError
from control_plane.ports import DependencyState
from control_plane.postgres.errors import DEPENDENCY
from control_plane.postgres.pool import fetch

DEADLINE_S = 1.5


class PostgresProbe:
    """One short statement. PostgreSQL is required: without it nothing can be written."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def probe(self) -> DependencyState:
        """Never raises, and answers within two seconds."""
        detail = f"no answer within {DEADLINE_S} s"
        with anyio.move_on_after(DEADLINE_S):
            try:
                await fetch(self._pool, "select 1")
            except (TrimtabError, asyncpg.PostgresError) as error:
                detail = str(error)
            else:
                return DependencyState(DEPENDENCY, ok=True, required=True)
        return DependencyState(DEPENDENCY, ok=False, required=True, detail=detail)

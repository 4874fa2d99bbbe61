"""Asks PostgreSQL, and its replica, whether it is there (port `Probe`)."""

import anyio
import asyncpg

from control_plane.domain.errors import TrimtabError
from control_plane.ports.probes import DependencyState
from control_plane.postgres.errors import DEPENDENCY
from control_plane.postgres.pool import fetch
from control_plane.postgres.reads import DEPENDENCY as REPLICA
from control_plane.postgres.reads import Reads

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


class ReplicaProbe:
    """Asks whether the replica answers heavy reads. It is not required: without it the primary does."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def probe(self) -> DependencyState:
        """Never raises, and answers within two seconds."""
        detail = f"no answer within {DEADLINE_S} s"
        with anyio.move_on_after(DEADLINE_S):
            try:
                detail = await self._reads.trouble()
            except (TrimtabError, asyncpg.PostgresError) as error:
                detail = str(error)
        return DependencyState(REPLICA, ok=not detail, required=False, detail=detail)

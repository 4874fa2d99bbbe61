"""Asks PostgreSQL, and its replica, whether it is there (port `Probe`)."""

import anyio
import asyncpg

from control_plane.domain.errors import TrimtabError
from control_plane.ports.keys import KeyEncryption
from control_plane.ports.probes import DependencyState
from control_plane.postgres.errors import DEPENDENCY
from control_plane.postgres.pool import fetch
from control_plane.postgres.queries import sql
from control_plane.postgres.reads import DEPENDENCY as REPLICA
from control_plane.postgres.reads import Reads

DEADLINE_S = 1.5
_ENCRYPTED_BY = sql("encrypted_by")


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


class KeyProbe:
    """Asks whether every key-encryption key is there that something is encrypted by. Without one, the rest goes on."""

    def __init__(self, pool: asyncpg.Pool, encryption: KeyEncryption) -> None:
        self._pool, self._encryption = pool, encryption

    async def probe(self) -> DependencyState:
        """Never raises, and answers within two seconds."""
        detail = f"no answer within {DEADLINE_S} s"
        with anyio.move_on_after(DEADLINE_S):
            try:
                rows = await fetch(self._pool, _ENCRYPTED_BY)
            except (TrimtabError, asyncpg.PostgresError) as error:
                detail = str(error)
            else:
                lost = [row["encrypted_by"] for row in rows if not self._encryption.known(row["encrypted_by"])]
                detail = f"missing: {', '.join(lost)}" if lost else ""
        return DependencyState("encryption-keys", ok=not detail, required=False, detail=detail)

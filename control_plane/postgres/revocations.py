"""Revoked tokens (port `Revocations`)."""

from datetime import timedelta

import asyncpg

from control_plane.domain.access.revocation import HEARD_WITHIN, LONGEST_TOKEN, Revocation
from control_plane.domain.attribution import Attribution
from control_plane.postgres.pool import fetch
from control_plane.postgres.queries import sql
from control_plane.postgres.rows import attributed

_LIST = sql("list_revocations")
_ADD = sql("add_revocation")


class PostgresRevocations:
    """Keeps them for as long as a token can live; each is audited in the same transaction."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def list(self) -> list[Revocation]:
        """All that still mean something."""
        return [_revocation(row) for row in await fetch(self._pool, _LIST, LONGEST_TOKEN)]

    async def add(self, subject: str, reason: str, by: Attribution, ahead: timedelta = HEARD_WITHIN) -> Revocation:
        """Revoke all tokens of a subject that were issued until now, or will be for so long."""
        [row] = await fetch(self._pool, _ADD, subject, reason, attributed(by), LONGEST_TOKEN, ahead)
        return _revocation(row)


def _revocation(row: asyncpg.Record) -> Revocation:
    return Revocation(row["subject"], row["before"], row["revoked_by"], row["reason"])

"""The installation's signing keys (port `SigningKeyStore`)."""

from datetime import datetime

import asyncpg

from control_plane.domain.attribution import Attribution
from control_plane.domain.keys import Purpose, SigningKeyRecord, WrappedKey
from control_plane.postgres.pool import fetch
from control_plane.postgres.queries import sql
from control_plane.postgres.rows import attributed

_LIST = sql("list_signing_keys")
_ADD = sql("add_signing_key")
_REWRAP = sql("rewrap_signing_key")
_PRUNE = sql("prune_signing_keys")


class PostgresSigningKeys:
    """Keeps them with their private halves encrypted."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def list(self, purpose: Purpose) -> list[SigningKeyRecord]:
        return [_record(row) for row in await fetch(self._pool, _LIST, purpose)]

    async def add(self, record: SigningKeyRecord, by: Attribution) -> None:
        private = record.private
        named = (record.purpose, record.generation, record.kid, record.public, private.blob, private.encrypted_by)
        await fetch(self._pool, _ADD, *named, record.created_at, record.signs_from, attributed(by), record.abrupt)

    async def rewrap(self, record: SigningKeyRecord, private: WrappedKey) -> None:
        await fetch(self._pool, _REWRAP, record.kid, private.blob, private.encrypted_by)

    async def prune(self, purpose: Purpose, before: datetime) -> None:
        await fetch(self._pool, _PRUNE, purpose, before)


def _record(row: asyncpg.Record) -> SigningKeyRecord:
    return SigningKeyRecord(
        purpose=Purpose(row["purpose"]),
        generation=row["generation"],
        kid=row["kid"],
        public=row["public"],
        private=WrappedKey(row["encrypted_by"], row["private"]),
        created_at=row["created_at"],
        signs_from=row["signs_from"],
        abrupt=row["abrupt"],
    )

"""Answers to requests with an Idempotency-Key that made no change (port `Receipts`)."""

import asyncpg

from control_plane.ports.credentials import Receipt
from control_plane.postgres.pool import fetch, fetch_row
from control_plane.postgres.queries import sql
from control_plane.postgres.sealing.seals import Seals
from shared.domain.codec import Json, decode, encode

ABANDONED_AFTER_S = 30
"""A claim that is not finished by then belongs to a process that died: no request takes as long."""

_BEGIN = sql("begin_request")
_KNOWN = sql("known_request")
_FINISH = sql("finish_request")
_FORGET = sql("forget_request")


class PostgresReceipts:
    """Claims keys and keeps answers beside those of changes, in the table that housekeeping prunes."""

    def __init__(self, pool: asyncpg.Pool, seals: Seals) -> None:
        self._pool, self._seals = pool, seals

    async def begin(self, author: str, key: str, request_hash: bytes) -> Receipt | None:
        """Claim a key: None if it is ours now, else what is known of the request that has it."""
        kept = (await self._seals.request_hash(request_hash)).hex()
        if await fetch_row(self._pool, _BEGIN, author, key, kept, ABANDONED_AFTER_S) is not None:
            return None
        row = await fetch_row(self._pool, _KNOWN, author, key)
        if row is None:  # given up just now
            return Receipt(None)
        return Receipt(decode(row["result"]).get("answer"), same=row["request_hash"] == kept)

    async def finish(self, author: str, key: str, answer: Json) -> None:
        """Keep the answer to the request that claimed the key."""
        await fetch(self._pool, _FINISH, author, key, encode({"answer": answer}).decode())

    async def forget(self, author: str, key: str) -> None:
        """Give up a claim: the request did nothing."""
        await fetch(self._pool, _FORGET, author, key)

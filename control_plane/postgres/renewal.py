"""Seals what lies in clear from earlier times, and what lies under keys that were replaced, a few at a time.

Each step reads, seals and puts back only what still is as it was read. So it can stop anywhere, be done by several at
once, and go on beside everything else.
"""

from uuid import UUID

import asyncpg

from control_plane.domain.change import Op, Operation
from control_plane.domain.sealing import KeyUse, SealingStatus
from control_plane.ports.keys import KeyEncryption
from control_plane.postgres.pool import fetch
from control_plane.postgres.proposal_rows import operation_at
from control_plane.postgres.queries import sql
from control_plane.postgres.rows import scope
from control_plane.postgres.sealing.data_keys import DataKeys
from control_plane.postgres.sealing.envelope import describe, rollout_place, seal
from control_plane.postgres.sealing.seals import Sealed, Seals, open_candidate
from shared.domain.codec import Json, canonical, decode, encode, fragment
from shared.domain.entry import Kind

_VERSIONS = sql("outdated_versions")
_RESEAL = sql("reseal")
_CHANGES = sql("outdated_changes")
_RESEAL_CHANGE = sql("reseal_change")
_ROLLOUTS = sql("outdated_rollouts")
_RESEAL_ROLLOUT = sql("reseal_rollout")
_STATUS = sql("sealing_status")
_BEFORE_ALL = UUID(int=0), 0


class PostgresRenewal:
    """Renews how values lie (port `Renewal`)."""

    def __init__(self, pool: asyncpg.Pool, keys: DataKeys, seals: Seals, encryption: KeyEncryption) -> None:
        self._pool, self._keys, self._seals, self._encryption = pool, keys, seals, encryption
        self._after = _BEFORE_ALL

    async def status(self) -> SealingStatus:
        """How everything lies now."""
        [row] = await fetch(self._pool, _STATUS)
        known = self._encryption.known
        keys = tuple(KeyUse(name, present, retired, known(name)) for name, present, retired in decode(row["keys"]))
        return SealingStatus(self._encryption.id, keys, row["sensitive"], row["outdated"])

    async def step(self, most: int) -> int:
        """Seal at most so many things anew; how many there were. 0: there is nothing left to do, for now."""
        return await self._versions(most) or await self._changes(most) or await self._rollouts(most)

    async def retire(self) -> int:
        """Replace the data keys of all scopes; how many that concerns."""
        return await self._keys.retire()

    async def rewrap(self) -> int:
        """Encrypt all data keys by the present key-encryption key; how many were by another."""
        return await self._keys.rewrap()

    async def _versions(self, most: int) -> int:
        rows = await fetch(self._pool, _VERSIONS, *self._after, most)
        if not rows:
            self._after = _BEFORE_ALL
            return 0
        opening = await self._seals.opening(rows)
        items = [await self._version(row, opening.value(row), opening.rollout(row)) for row in rows]
        await fetch(self._pool, _RESEAL, encode(items).decode())
        self._after = (rows[-1]["id"], rows[-1]["version"])
        return len(rows)

    async def _version(self, row: asyncpg.Record, value: bytes, rollout: bytes) -> Json:
        own, kind = scope(row["app_id"], row["environment"]), Kind(row["kind"])
        operation = Operation(Op.PUT, own, row["key"], value, sensitive=True, kind=kind, rollout=rollout)
        place = {"position": 0, "id": str(row["id"]), "version": row["version"]}
        sealed = (await self._seals.for_versions([operation], [place]))[0]
        return {**place, **_replaced(row, sealed)}

    async def _changes(self, most: int) -> int:
        rows, done = await fetch(self._pool, _CHANGES, most), 0
        for row in rows:
            operations, change_id = decode(row["operations"]), UUID(int=row["id"].int)
            opening = await self._seals.opening_of(each.get("value") for each in operations)
            read = [operation_at(change_id, index, each, opening) for index, each in enumerate(operations)]
            sealing = await self._seals.for_change(change_id, read, decode(row["positions"]))
            new = [
                each | {"value": sealing[index].value, "value_digest": 0, "sealed": sealing[index].mark}
                if index in sealing
                else each
                for index, each in enumerate(operations)
            ]
            done += len(await fetch(self._pool, _RESEAL_CHANGE, change_id, row["operations"], encode(new).decode()))
        return done

    async def _rollouts(self, most: int) -> int:
        rows, done = await fetch(self._pool, _ROLLOUTS, most), 0
        for row in rows:
            document, rollout_id = decode(row["document"]), UUID(int=row["id"].int)
            opening = await self._seals.opening_of([document])
            candidate = canonical(open_candidate(opening, rollout_id, document)["candidate"])
            own, kind = scope(row["app_id"], row["environment"]), str(document.get("kind", Kind.VALUE))
            told = describe(await self._keys.digests(), own, row["key"], kind, candidate)
            sealed = seal(await self._keys.current(own), candidate, rollout_place(rollout_id), told)
            old, new = (encode(each).decode() for each in (document["candidate"], sealed))
            done += len(await fetch(self._pool, _RESEAL_ROLLOUT, rollout_id, old, new))
        return done


def _replaced(row: asyncpg.Record, sealed: Sealed) -> dict[str, Json]:
    value, rollout = (None if row[name] is None else fragment(row[name].encode()) for name in ("value", "rollout"))
    return {
        "old_value": value,
        "value": None if value is None else sealed.value,
        "old_rollout": rollout,
        "rollout": None if rollout is None else sealed.rollout,
    }

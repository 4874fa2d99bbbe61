"""The keys under which values are encrypted: one for each scope, encrypted themselves by the key-encryption key.

They are kept in memory once they were decrypted, so whoever keeps the key-encryption key is asked once a key and process.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from uuid import UUID, uuid4

import asyncpg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from control_plane.domain.keys import WrappedKey
from control_plane.ports.keys import KeyEncryption
from control_plane.postgres.pool import fetch
from control_plane.postgres.queries import sql
from control_plane.postgres.sealing.envelope import DataKey
from shared.domain.scope import Scope
from shared.runtime.clock import Clock

KEY_BYTES = 32
CURRENT_FOR = 5.0
"""Seconds for which a scope's current key is used without a look whether it was replaced."""
_GLOBAL = Scope()
_VALUES, _DIGESTS = "values", "digests"

_CURRENT = sql("current_data_key")
_FIND = sql("find_data_keys")
_ADD = sql("add_data_key")
_RETIRE = sql("retire_data_keys")
_OTHERS = sql("data_keys_of_others")
_REWRAP = sql("rewrap_data_key")


class DataKeys:
    """Finds, makes and replaces data keys."""

    def __init__(self, pool: asyncpg.Pool, encryption: KeyEncryption, clock: Clock) -> None:
        self._pool, self._encryption, self._clock = pool, encryption, clock
        self._known: dict[str, DataKey] = {}
        self._current: dict[Scope, tuple[float, DataKey]] = {}
        self._digests = b""

    async def current(self, scope: Scope) -> DataKey:
        """The key that encrypts what stands in this scope; made if there is none."""
        at, key = self._current.get(scope, (float("-inf"), None))
        if key is None or self._clock.monotonic() - at >= CURRENT_FOR:
            row = await self._present(_VALUES, scope)
            key = self._known.get(str(row["id"])) or self._keep(row, await self._unwrapped(row))
            self._current[scope] = (self._clock.monotonic(), key)
        return key

    async def digests(self) -> bytes:
        """The key of the digests of this installation; it is never replaced, so that they can be compared."""
        if not self._digests:
            self._digests = await self._unwrapped(await self._present(_DIGESTS, _GLOBAL))
        return self._digests

    async def learn(self, names: Iterable[str]) -> None:
        """See to it that these keys are known, as far as there are any.

        Raises:
            KeyLostError: one is encrypted under a key that is not there.
            UnavailableError: the database, or whoever has the key-encryption key, is away.
        """
        if missing := {each for each in names if each not in self._known}:
            for row in await fetch(self._pool, _FIND, [each for each in map(_uuid, missing) if each]):
                self._keep(row, await self._unwrapped(row))

    def get(self, name: str) -> DataKey | None:
        """A key that was learnt."""
        return self._known.get(name)

    async def retire(self) -> int:
        """Let all scopes get new keys from now on; how many that concerns."""
        rows = await fetch(self._pool, _RETIRE)
        self._current.clear()
        return int(rows[0]["retired"])

    async def rewrap(self) -> int:
        """Encrypt all keys under the present key-encryption key; how many were under another."""
        done = 0
        for row in await fetch(self._pool, _OTHERS, self._encryption.id):
            wrapped = await self._encryption.wrap(await self._unwrapped(row), _context(row["id"]))
            await fetch(self._pool, _REWRAP, row["id"], wrapped.blob, wrapped.encrypted_by)
            done += 1
        return done

    async def _present(self, purpose: str, scope: Scope) -> asyncpg.Record:
        place = (purpose, scope.app_id or "", scope.environment or "")
        while not (rows := await fetch(self._pool, _CURRENT, *place)):
            name = uuid4()
            wrapped = await self._encryption.wrap(secrets.token_bytes(KEY_BYTES), _context(name))
            await fetch(self._pool, _ADD, name, *place, wrapped.blob, wrapped.encrypted_by)
        return rows[0]

    async def _unwrapped(self, row: asyncpg.Record) -> bytes:
        wrapped = WrappedKey(row["encrypted_by"], row["wrapped"])
        return await self._encryption.unwrap(wrapped, _context(row["id"]))

    def _keep(self, row: asyncpg.Record, raw: bytes) -> DataKey:
        key = DataKey(str(row["id"]), AESGCM(hmac.new(raw, b"trimtab values", hashlib.sha256).digest()))
        self._known[key.id] = key
        return key


def _context(name: UUID) -> bytes:
    return f"trimtab data key\0{name}".encode()


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None

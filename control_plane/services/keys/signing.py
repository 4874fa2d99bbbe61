"""The keys with which the installation signs: what all replicas have in common, in memory where it is needed.

Each purpose has generations of Ed25519 keys. A new one is made by whichever replica comes first, told to whoever
verifies an hour before it signs, and trusted for a day after the next one does. So replicas that read the table now and
then agree on which key signs, without a word between them.
"""

import hashlib
import logging
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime

import anyio
from anyio.abc import TaskStatus
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import UnavailableError
from control_plane.domain.keys import (
    KEPT_AFTER,
    KNOWN_AHEAD,
    PublicKey,
    Purpose,
    SigningKeyRecord,
    signing_at,
    trusted_at,
)
from control_plane.ports.keys import KeyEncryption, SigningKeyStore
from shared.runtime.clock import Clock

LOOK_EVERY = 30.0
"""Seconds between two looks for keys that other replicas have made; far less than they are known ahead."""
_KID_BYTES = 12

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """What signs now."""

    kid: str
    private: Ed25519PrivateKey


class SigningKeys:
    """Signing keys of all purposes. `load` comes before everything else."""

    def __init__(self, store: SigningKeyStore, encryption: KeyEncryption, clock: Clock, ourselves: Attribution) -> None:
        self._store, self._encryption, self._clock, self._ourselves = store, encryption, clock, ourselves
        self._records: dict[Purpose, list[SigningKeyRecord]] = {}
        self._opened: dict[str, SigningKey] = {}

    async def load(self) -> None:
        """Read the keys of all purposes; make those that there are none of.

        Raises:
            KeyLostError: they are encrypted under a key that is not there.
            UnavailableError: the store is away.
        """
        for purpose in Purpose:
            if not await self._read(purpose):
                await self._make(purpose, 1, self._clock.now(), self._ourselves)

    def current(self, purpose: Purpose) -> SigningKey:
        """The key that signs now."""
        return self._opened[signing_at(self._records[purpose], self._clock.now()).kid]

    def public(self, purpose: Purpose) -> tuple[PublicKey, ...]:
        """The keys whose signatures are good now, the oldest first; the next one is told ahead."""
        return trusted_at(self._records[purpose], self._clock.now())

    def known(self, purpose: Purpose) -> tuple[SigningKey, ...]:
        """All that are kept, the oldest first, also those that nobody trusts any longer."""
        return tuple(self._opened[each.kid] for each in self._records[purpose])

    async def rotate(self, purpose: Purpose, by: Attribution, *, at_once: bool = False) -> PublicKey:
        """Make the next key. It signs in an hour, or at once, because the present one has leaked: that is trusted no longer."""
        await self._read(purpose)
        now, last = self._clock.now(), self._records[purpose][-1]
        await self._make(purpose, last.generation + 1, now if at_once else now + KNOWN_AHEAD, by, abrupt=at_once)
        await self._store.prune(purpose, now - KEPT_AFTER[purpose])
        return self.public(purpose)[-1]

    async def rewrap(self) -> int:
        """Encrypt all keys under the present key-encryption key; how many there were under another."""
        done = 0
        for purpose in Purpose:
            await self._read(purpose)
            for record in self._records[purpose]:
                if record.private.encrypted_by != self._encryption.id:
                    private = self._opened[record.kid].private.private_bytes_raw()
                    await self._store.rewrap(record, await self._encryption.wrap(private, _context(record.kid)))
                    done += 1
            await self._read(purpose)
        return done

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Learn of keys that others make, until cancelled."""
        task_status.started()
        while True:
            await anyio.sleep(LOOK_EVERY)
            try:
                for purpose in Purpose:
                    await self._read(purpose)
            except UnavailableError as error:
                _log.warning("signing keys could not be read again", extra={"reason": str(error)})

    async def _make(
        self, purpose: Purpose, generation: int, signs_from: datetime, by: Attribution, *, abrupt: bool = False
    ) -> None:
        private = Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        kid = urlsafe_b64encode(hashlib.sha256(public).digest()[:_KID_BYTES]).decode()
        wrapped = await self._encryption.wrap(private.private_bytes_raw(), _context(kid))
        now = self._clock.now()
        made = SigningKeyRecord(purpose, generation, kid, public, wrapped, now, signs_from, abrupt)
        await self._store.add(made, by)
        await self._read(purpose)

    async def _read(self, purpose: Purpose) -> bool:
        """Whether there are any."""
        records = await self._store.list(purpose)
        for each in records:
            if each.kid not in self._opened:
                raw = await self._encryption.unwrap(each.private, _context(each.kid))
                self._opened[each.kid] = SigningKey(each.kid, Ed25519PrivateKey.from_private_bytes(raw))
        if records:
            self._records[purpose] = records
        return bool(records)


def _context(kid: str) -> bytes:
    return b"trimtab signing key\0" + kid.encode()

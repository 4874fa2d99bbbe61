"""Who encrypts keys, and where the encrypted ones are kept."""

from datetime import datetime
from typing import Protocol

from control_plane.domain.attribution import Attribution
from control_plane.domain.keys import Purpose, SigningKeyRecord, WrappedKey
from control_plane.domain.sealing import SealingStatus


class KeyEncryption(Protocol):
    """The key-encryption key, wherever it is. `context` is part of what is encrypted: it opens under the same only."""

    @property
    def id(self) -> str:
        """Of the key that encrypts from now on."""
        ...

    def known(self, name: str) -> bool:
        """Whether what is encrypted by the key of this id can be decrypted, as far as that can be told without trying."""
        ...

    async def look(self) -> None:
        """See whether the key is there, and which one encrypts now: one that others have can be rotated by them.

        Raises:
            UnavailableError: whoever has the key-encryption key is away, or does not let us use it.
        """
        ...

    async def wrap(self, key: bytes, context: bytes) -> WrappedKey:
        """Encrypt a key.

        Raises:
            UnavailableError: whoever has the key-encryption key is away.
        """
        ...

    async def unwrap(self, wrapped: WrappedKey, context: bytes) -> bytes:
        """Decrypt a key.

        Raises:
            KeyLostError: the key-encryption key is not there any more, or the encrypted key was altered.
            UnavailableError: whoever has the key-encryption key is away.
        """
        ...


class SigningKeyStore(Protocol):
    """Signing keys by purpose and generation; each is written once, whichever replica comes first."""

    async def list(self, purpose: Purpose) -> list[SigningKeyRecord]:
        """All generations that may still be trusted, the oldest first."""
        ...

    async def add(self, record: SigningKeyRecord, by: Attribution) -> None:
        """Keep a new generation, unless somebody else has made it meanwhile."""
        ...

    async def rewrap(self, record: SigningKeyRecord, private: WrappedKey) -> None:
        """Keep the same key under another key-encryption key."""
        ...

    async def prune(self, purpose: Purpose, before: datetime) -> None:
        """Forget generations whose successors began to sign before then."""
        ...


class Renewal(Protocol):
    """How sensitive values lie, and how they should."""

    async def status(self) -> SealingStatus:
        """Under which keys everything lies now."""
        ...

    async def step(self, most: int) -> int:
        """Seal at most so many values anew; 0 if there is nothing to do.

        Raises:
            KeyLostError: some lie under a key that is not there.
        """
        ...

    async def retire(self) -> int:
        """Replace the keys of all scopes: what is written from now on lies under new ones, the rest follows in steps."""
        ...

    async def rewrap(self) -> int:
        """Encrypt all keys by the present key-encryption key; how many were by another."""
        ...

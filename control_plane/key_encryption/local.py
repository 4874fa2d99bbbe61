"""A key-encryption key in the settings (port `KeyEncryption`): AES-256-GCM in this process."""

import hashlib
import secrets
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from control_plane.domain.errors import KeyLostError
from control_plane.domain.keys import WrappedKey

KEY_BYTES = 32
_NONCE_BYTES = 12
_FEWEST_DIFFERENT = 12
"""Different bytes of a key: of 32 random ones, fewer are a matter of one in more than 10^18."""
_ID_BYTES = 6


class WeakKeyError(ValueError):
    """A key that is none, or can be guessed; the message says what to do and nothing of the key."""


def new_key() -> str:
    """A new key as the settings take it."""
    return b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def read_key(text: str) -> bytes:
    """A key out of its text.

    Raises:
        WeakKeyError: it is not 32 random bytes in base64, as far as that can be seen.
    """
    try:
        key = b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        msg = f"must be {KEY_BYTES} random bytes in base64; `trimtab keys generate` makes such a key"
        raise WeakKeyError(msg)
    if len(set(key)) < _FEWEST_DIFFERENT or (key.isascii() and key.decode().isprintable()):
        msg = "can be guessed; `trimtab keys generate` makes one that cannot"
        raise WeakKeyError(msg)
    return key


def key_id(key: bytes) -> str:
    """What tells this key from others, and nothing about it."""
    return hashlib.sha256(b"trimtab key-encryption key id\0" + key).digest()[:_ID_BYTES].hex()


class LocalKeyEncryption:
    """Knows some keys; the first one encrypts."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = {key_id(each): AESGCM(each) for each in keys}
        self._id = key_id(keys[0])

    @classmethod
    def parse(cls, text: str) -> Self:
        """Keys with commas between.

        Raises:
            WeakKeyError: one of them is none.
        """
        return cls([read_key(each.strip()) for each in text.split(",")])

    @property
    def id(self) -> str:
        return self._id

    def known(self, name: str) -> bool:
        return name in self._ciphers

    async def look(self) -> None:
        return

    async def wrap(self, key: bytes, context: bytes) -> WrappedKey:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return WrappedKey(self._id, nonce + self._ciphers[self._id].encrypt(nonce, key, context))

    async def unwrap(self, wrapped: WrappedKey, context: bytes) -> bytes:
        cipher = self._ciphers.get(wrapped.encrypted_by)
        if cipher is None:
            raise KeyLostError(wrapped.encrypted_by)
        nonce, sealed = wrapped.blob[:_NONCE_BYTES], wrapped.blob[_NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, sealed, context)
        except (InvalidTag, ValueError) as error:
            raise KeyLostError(wrapped.encrypted_by, altered=True) from error

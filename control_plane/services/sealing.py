"""Sensitive values on their way between installations, encrypted with a key that only control planes have.

The key is a setting, never part of a request: so nobody who may export can read what is sealed, and only a control
plane with the same key imports it. The cipher is AES-SIV (RFC 5297), which needs no random number to be safe: the same
export has the same bytes. What a sealed value belongs to is part of it, so it opens nowhere but at its own key of its
own scope. What can be told from outside is whether two exports have the same value at the same place, and its length in
steps of 64 bytes.
"""

import base64
import binascii
import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from shared.domain.scope import Scope

_PREFIX = "v1"
_STEP = 64
_ID_BYTES = 4


class NotOurSealError(ValueError):
    """A sealed value that this key does not open, here; the message says why as far as it can be told."""


class Sealer:
    """Seals and opens with one key of 64 bytes: AES-256 in SIV mode takes two keys."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(key)
        self._id = hashlib.sha256(b"trimtab seal key id\0" + key).digest()[:_ID_BYTES].hex()

    def seal(self, scope: Scope, key: str, value: bytes) -> str:
        """Canonical JSON, padded with spaces (which mean nothing in JSON) and encrypted."""
        padded = value.ljust(-(-len(value) // _STEP) * _STEP)
        sealed = self._cipher.encrypt(padded, _place(scope, key))
        return f"{_PREFIX}:{self._id}:{base64.b64encode(sealed).decode()}"

    def open(self, scope: Scope, key: str, sealed: str) -> bytes:
        """The canonical JSON that was sealed.

        Raises:
            NotOurSealError: it was sealed with another key, for another place, or was altered.
        """
        prefix, _, rest = sealed.partition(":")
        name, _, text = rest.partition(":")
        if prefix != _PREFIX or not text:
            msg = "is not a sealed value of an export"
            raise NotOurSealError(msg)
        if name != self._id:
            msg = f"was sealed with another key ({name[:8]!r}) than this control plane's ({self._id!r})"
            raise NotOurSealError(msg)
        try:
            return self._cipher.decrypt(base64.b64decode(text, validate=True), _place(scope, key)).rstrip(b" ")
        except (InvalidTag, binascii.Error, ValueError) as error:
            msg = "was altered, or sealed for another key or scope"
            raise NotOurSealError(msg) from error


def _place(scope: Scope, key: str) -> list[bytes]:
    return [b"trimtab sealed value", str(scope).encode(), key.encode()]

"""A key-encryption key in the transit engine of Vault or OpenBao (port `KeyEncryption`): it never leaves there.

```text
GET  v1/transit/keys/trimtab      its type and latest version, which is part of our id of it
POST v1/transit/encrypt/trimtab   {"plaintext": base64} → {"data": {"ciphertext": "vault:v1:…"}}
POST v1/transit/decrypt/trimtab   the other way round
```

What a key belongs to is encrypted with it, as a digest: not every version and every type of key of the engine takes
associated data, and those that do not ignore it without a word.
"""

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping

from control_plane.domain.errors import KeyLostError, UnavailableError
from control_plane.domain.keys import WrappedKey
from control_plane.key_encryption.ring import DEPENDENCY
from shared.domain.codec import Json
from shared.runtime.keepers.asking import SecretError
from shared.runtime.keepers.vault_session import VaultRefusalError, VaultSession

_AUTHENTICATING = frozenset({"aes128-gcm96", "aes256-gcm96", "chacha20-poly1305", "xchacha20-poly1305"})
"""Types of keys that notice when what they encrypted was altered."""
_DIGEST_BYTES = 32
_UNFIT = f"it must be one of {', '.join(sorted(_AUTHENTICATING))}, and not derived"
_NONSENSE = "its answer is not one of the transit engine"
_RETRY_AFTER = 5
_BAD_REQUEST = 400


class VaultTransit:
    """The key of this name at this mount. Its versions are Vault's own affair: the engine knows which one encrypted what."""

    def __init__(self, session: VaultSession, mount: str, name: str) -> None:
        self._session, self._mount, self._name = session, mount, name
        self._prefix = f"vault:{mount}/{name}:"
        self._version = 0

    @property
    def id(self) -> str:
        return f"{self._prefix}v{self._version}"

    def known(self, name: str) -> bool:
        return name.startswith(self._prefix)

    async def look(self) -> None:
        try:
            await self._session.keep()
        except SecretError as error:
            raise self._away(error) from error
        told = await self._asked("GET", "keys")
        version, kind = told.get("latest_version"), told.get("type")
        if type(version) is not int:
            raise self._away(_NONSENSE)
        if kind not in _AUTHENTICATING or told.get("derived") is True:
            raise self._away(_UNFIT)
        self._version = version

    async def wrap(self, key: bytes, context: bytes) -> WrappedKey:
        plain = b64encode(_digest(context) + key).decode()
        text = (await self._asked("POST", "encrypt", {"plaintext": plain})).get("ciphertext")
        scheme, version, _ = text.split(":", 2) if isinstance(text, str) and text.count(":") > 1 else ("", "", "")
        if scheme != "vault" or not version[1:].isdecimal():
            raise self._away(_NONSENSE)
        self._version = int(version[1:])
        return WrappedKey(self.id, str(text).encode())

    async def unwrap(self, wrapped: WrappedKey, context: bytes) -> bytes:
        sent = {"ciphertext": wrapped.blob.decode("ascii", errors="replace")}
        try:
            told = await self._data("POST", "decrypt", sent)
        except VaultRefusalError as error:
            if error.status == _BAD_REQUEST:
                raise KeyLostError(wrapped.encrypted_by, altered="not found" not in error.said) from error
            raise self._away(error) from error
        except SecretError as error:
            raise self._away(error) from error
        plain = _decoded(told.get("plaintext"))
        if not hmac.compare_digest(plain[:_DIGEST_BYTES], _digest(context)):
            raise KeyLostError(wrapped.encrypted_by, altered=True)
        return plain[_DIGEST_BYTES:]

    async def _asked(self, method: str, action: str, body: Json = None) -> Mapping[str, Json]:
        try:
            return await self._data(method, action, body)
        except SecretError as error:
            raise self._away(error) from error

    async def _data(self, method: str, action: str, body: Json = None) -> Mapping[str, Json]:
        answer = await self._session.ask(method, f"{self._mount}/{action}/{self._name}", body)
        found = answer.json().get("data")
        return found if isinstance(found, dict) else {}

    def _away(self, why: object) -> UnavailableError:
        return UnavailableError(DEPENDENCY, f"{self._mount}/{self._name} cannot be used: {why}", _RETRY_AFTER)


def _digest(context: bytes) -> bytes:
    return hashlib.sha256(b"trimtab key context\0" + context).digest()


def _decoded(text: Json) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (TypeError, ValueError):
        return b""

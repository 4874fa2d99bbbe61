"""The form of a sealed value: a document in the place of the value, so that tables and functions stay as they are.

```text
{"$sealed": {"key": data key's id, "data": base64(nonce + AES-256-GCM), "digest": hex, "type": JSON type}}
```

What is sealed belongs to its place: the config and its version, the stored change, or the rollout, by their ids. Anywhere
else it does not open. `digest` is keyed, with a key that is not in the database: it says whether two values of one config
are equal, and nothing else. `type` is what the guard against changes of type compares.
"""

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TypeGuard
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from control_plane.domain.errors import KeyLostError
from shared.domain.codec import Json, decode
from shared.domain.entry import Kind
from shared.domain.scope import Scope

SIGN = "$sealed"
_NONCE_BYTES = 12
_STEP = 64
"""Values are padded to a multiple of this many bytes with spaces, which mean nothing in JSON: their length is a secret too."""
_TYPES = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}


@dataclass(frozen=True, slots=True)
class DataKey:
    """A key under which the values of one scope are encrypted."""

    id: str
    cipher: AESGCM


def version_place(config_id: str | UUID, version: int, part: str) -> bytes:
    """Where a `part` (value, candidate) of one version of a config belongs."""
    return f"trimtab value\0{config_id}\0{version}\0{part}".encode()


def change_place(change_id: str | UUID, position: int, part: str) -> bytes:
    """Where a part of an operation of a stored change belongs."""
    return f"trimtab stored change\0{change_id}\0{position}\0{part}".encode()


def rollout_place(rollout_id: str | UUID) -> bytes:
    """Where the candidate of a rollout belongs."""
    return f"trimtab rollout\0{rollout_id}".encode()


def seal(key: DataKey, value: bytes, place: bytes, described: Json) -> Json:
    """Encrypt canonical JSON; `described` is what `describe` said of it."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    padded = value.ljust(-(-len(value) // _STEP) * _STEP)
    data = nonce + key.cipher.encrypt(nonce, padded, place)
    return {SIGN: {**described[SIGN], "key": key.id, "data": b64encode(data).decode()}}


def describe(digests: bytes, scope: Scope, key: str, kind: str, value: bytes) -> Json:
    """What may be told of a value: an envelope with nothing in it."""
    told = f"{scope}\0{key}\0".encode() + value
    digest = hmac.new(digests, told, hashlib.sha256).hexdigest()
    return {SIGN: {"digest": digest, "type": _type_of(_served(kind, decode(value)))}}


def is_sealed(document: Json) -> TypeGuard[dict[str, Json]]:
    """Whether this has the form of a sealed value. Whoever may write values can make one; only its place tells."""
    return isinstance(document, dict) and len(document) == 1 and isinstance(document.get(SIGN), dict)


def key_of(document: Json) -> str:
    """The id of the key under which it was sealed."""
    return str(document[SIGN].get("key", ""))


def open_sealed(key: DataKey | None, document: Json, place: bytes) -> bytes:
    """The canonical JSON that was sealed here.

    Raises:
        KeyLostError: its key is not there, or it was altered, or belongs elsewhere.
    """
    name = key_of(document)
    if key is None:
        raise KeyLostError(name)
    try:
        data = b64decode(document[SIGN]["data"], validate=True)
        return key.cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], place).rstrip(b" ")
    except (InvalidTag, LookupError, TypeError, ValueError) as error:
        raise KeyLostError(name, altered=True) from error


def _served(kind: str, document: Json) -> Json:
    """What a reader gets as long as no rule decides otherwise, as `trimtab_served` has it."""
    if kind == Kind.FLAG and isinstance(document, dict):
        return document.get("variants", {}).get(document.get("default"))
    return None if kind == Kind.SEGMENT else document


def _type_of(document: Json) -> str:
    return _TYPES.get(type(document), "null")

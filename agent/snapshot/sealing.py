"""What stands in the files of the last known good for a sensitive entry: its value and rollout, sealed by AES-256-GCM.

Everything else stays readable, so a seal says in clear only what the local API shows to everybody as well. It is bound to
the place it was made for: app/environment, level, key, kind, version and revision. One that is moved does not open.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from agent.snapshot.state_key import KeyMissingError, StateKey
from shared.domain.codec import Json, MalformedJsonError, decode, encode, fragment
from shared.domain.entry import Entry
from shared.wire.snapshot import MalformedSnapshotError, SnapshotDocument

if TYPE_CHECKING:  # six megabytes, which only an agent with sensitive configs pays
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SEAL = "sealed"
"""The member of an item that holds `value` and `rollout`."""

_CONTEXT = b"trimtab last known good 1"
_NONCE = 12
_HIDDEN = ("value", "rollout")
KeyOf: TypeAlias = Callable[[], bytes]


class SealedError(Exception):
    """The file is whole, and without the key that it was sealed with there is nothing to be had from it."""


class Sealer:
    """Writes and reads the documents of one app/environment. Safe for threads."""

    def __init__(self, key: StateKey, app_id: str, environment: str) -> None:
        self._key, self._owner = key, (app_id, environment)
        self._cipher: tuple[str, AESGCM] | None = None

    def encode(self, document: SnapshotDocument) -> bytes:
        """A document's bytes, without any sensitive value in clear.

        Raises:
            OSError: there is no key, and none can be made.
        """
        written = document.document()
        for item, entry in zip(written["entries"], document.items, strict=True):
            if entry.entry is not None and entry.entry.sensitive:
                self._seal(item, entry.entry)
        return encode(written)

    def decode(self, body: bytes) -> SnapshotDocument:
        """Read a document, sealed or from before there were seals.

        Raises:
            MalformedSnapshotError: it is none, or a seal is not as it was made.
            SealedError: it was sealed with another key, or there is none.
        """
        if f'"{SEAL}"'.encode() not in body:
            return SnapshotDocument.decode(body)
        try:
            document = decode(body)
            for item in document["entries"]:
                if SEAL in item:
                    item.update(self._opened(item))
        except (MalformedJsonError, LookupError, TypeError, AttributeError) as error:
            msg = f"not a snapshot document: {type(error).__name__}"
            raise MalformedSnapshotError(msg) from error
        return SnapshotDocument.read(document)

    def _seal(self, item: dict[str, Json], entry: Entry) -> None:
        hidden = {"value": fragment(entry.value)} if entry.value else {}
        hidden |= {"rollout": fragment(entry.rollout)} if entry.rollout else {}
        for name in _HIDDEN:
            item.pop(name, None)
        which, cipher = self._ready(self._key.have)
        nonce = os.urandom(_NONCE)
        sealed = nonce + cipher.encrypt(nonce, encode(hidden), self._bound(item))
        item[SEAL] = f"{which}.{base64.b64encode(sealed).decode()}"

    def _opened(self, item: dict[str, Json]) -> dict[str, Json]:
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - as above

        theirs, _, text = str(item.pop(SEAL)).partition(".")
        try:
            which, cipher = self._ready(self._key.find)
        except KeyMissingError as error:
            raise SealedError(str(error)) from error
        if theirs != which:
            msg = f"it was sealed with another key than {self._key.path} holds"
            raise SealedError(msg)
        try:
            sealed = base64.b64decode(text, validate=True)
            opened = decode(cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], self._bound(item)))
        except (InvalidTag, binascii.Error, ValueError) as error:
            msg = "a seal is not as it was made"
            raise MalformedSnapshotError(msg) from error
        return {name: opened[name] for name in _HIDDEN if name in opened}

    def _ready(self, key_of: KeyOf) -> "tuple[str, AESGCM]":
        if self._cipher is None:
            try:
                from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - as above
            except ModuleNotFoundError as error:
                msg = "sensitive configs are kept encrypted, and `cryptography` is missing; install trimtab[agent]"
                raise KeyMissingError(msg) from error
            key = key_of()
            self._cipher = (hashlib.blake2b(key, digest_size=4, person=b"trimtab key id").hexdigest(), AESGCM(key))
        return self._cipher

    def _bound(self, item: dict[str, Json]) -> bytes:
        """What a seal is good for and nothing else: no part of it can hold the mark between two."""
        place = (*self._owner, *(str(item[each]) for each in ("level", "key", "kind", "version", "revision")))
        return b"\n".join((_CONTEXT, *(each.encode() for each in place)))

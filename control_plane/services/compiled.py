"""A snapshot document as bytes that are ready to send: encoded once, compressed once."""

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self, TypeVar

from anyio.to_thread import run_sync

from control_plane.services.keys.signatures import Signatures
from shared.domain.entry import Entry, digest_text
from shared.domain.resolution import Effective, resolve_all
from shared.domain.scope import Level, Revisions
from shared.wire.signature import About, Signature
from shared.wire.snapshot import SnapshotDocument

T = TypeVar("T")

MIN_GZIP = 1_024
"""Bytes below which compressing gains nothing."""

OFF_LOOP = 64 * 1024
"""Bytes from which compressing and reading take long enough to leave the event loop for."""

_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Compiled:
    """One document's bytes, and what they are at. `gzipped` is None where it would not be smaller."""

    revisions: Revisions
    digests: tuple[int, int, int]
    body: bytes
    gzipped: bytes | None
    sensitive: bool
    signature: Signature | None = None

    @property
    def etag(self) -> str:
        """Changes with the content, in every replica alike."""
        global_, app, own = self.digests
        return f'"{".".join(map(str, self.revisions))}-{digest_text(global_ ^ app ^ own)}"'

    @property
    def size(self) -> int:
        """Bytes of memory that it takes, about."""
        return len(self.body) + len(self.gzipped or b"")

    @property
    def packed(self) -> bytes:
        """The shortest form, for a cache; `unpack` reads it."""
        return self.gzipped or self.body

    @classmethod
    async def of(cls, document: SnapshotDocument) -> Self:
        """Encode and compress a document."""
        body = document.encode()
        sensitive = any(item.entry is not None and item.entry.sensitive for item in document.items)
        return cls(document.revisions, document.digests, body, await _compress(body), sensitive)

    @classmethod
    async def unpack(cls, packed: bytes, revisions: Revisions, digests: tuple[int, int, int]) -> Self | None:
        """What `packed` gave, of a document without sensitive values; None if the bytes are damaged."""
        if packed.startswith(b"{"):
            return cls(revisions, digests, packed, None, sensitive=False)
        try:
            body = await _run(len(packed), gzip.decompress, packed)
        except (OSError, EOFError, zlib.error):
            return None
        return cls(revisions, digests, body, packed, sensitive=False)

    async def stale(self) -> "Compiled":
        """The same, saying of itself that it may be behind."""
        document = await _run(len(self.body), SnapshotDocument.decode, self.body)
        body = replace(document, stale=True).encode()
        return replace(self, body=body, gzipped=await _compress(body), signature=None)

    def signed(self, signatures: Signatures, place: str) -> "Compiled":
        """The same with a signature of the key that signs now; it may have been another when this was compiled."""
        if self.signature is not None and self.signature.kid == signatures.kid:
            return self
        return replace(self, signature=signatures.sign(About.SNAPSHOT, place, self.body))

    async def effective(self) -> dict[str, Effective]:
        """What a reader sees for each key, without sensitive values."""
        return await _run(len(self.body), _effective, self.body)


async def _compress(body: bytes) -> bytes | None:
    if len(body) < MIN_GZIP:
        return None
    gzipped = await _run(len(body), _gzip, body)
    return gzipped if len(gzipped) < len(body) else None


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, _LEVEL, mtime=0)


def _effective(body: bytes) -> dict[str, Effective]:
    entries: dict[Level, dict[str, Entry]] = {level: {} for level in Level}
    for item in SnapshotDocument.decode(body).items:
        if (entry := item.entry) is not None:
            entries[item.level][item.key] = replace(entry, value=b"", rollout=b"") if entry.sensitive else entry
    return resolve_all(entries[Level.GLOBAL], entries[Level.APP], entries[Level.ENVIRONMENT])


async def _run(size: int, work: Callable[[bytes], T], data: bytes) -> T:
    """Do it here if it is quick, else in a thread."""
    return work(data) if size < OFF_LOOP else await run_sync(work, data)

"""One config as it stands in a scope, and the digest by which two parties find out that they hold the same."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

_U64 = 1 << 64


class Kind(StrEnum):
    """What an entry does at its scope."""

    VALUE = "value"
    """It yields its value."""
    MASK = "mask"
    """It hides what less specific scopes say for its key."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A live entry of one scope. `value` is canonical JSON (see `shared.domain.codec`), empty for a mask."""

    key: str
    kind: Kind
    value: bytes
    version: int
    revision: int
    sensitive: bool = False

    @property
    def digest(self) -> int:
        """This entry's share of its scope's digest."""
        return entry_digest(self.key, self.kind, self.version, value_digest(self.value, sensitive=self.sensitive))


def value_digest(value: bytes, *, sensitive: bool) -> int:
    """64 signed bits of a value's canonical JSON.

    Zero for a sensitive value: digests travel in clear, and a short secret could be guessed from one.
    """
    if sensitive or not value:
        return 0
    return int.from_bytes(hashlib.blake2b(value, digest_size=8).digest(), signed=True)


def entry_digest(key: str, kind: str, version: int, value: int) -> int:
    """64 signed bits that identify one state of one entry.

    The database computes the very same over the same text when it commits (`trimtab_entry_digest`), so the form of
    the text is a contract. A scope's digest is the exclusive or over its live entries: order does not matter, and a
    change updates it without reading the entries that it leaves alone.
    """
    text = f"{key}|{kind}|{version}|{value}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], signed=True)


def digest_text(digest: int) -> str:
    """The 16 hexadecimal digits in which a digest is written down."""
    return f"{digest % _U64:016x}"


def parse_digest(text: str) -> int:
    """Read what `digest_text` wrote.

    Raises:
        ValueError: it is not 16 hexadecimal digits.
    """
    if len(text) != 16:  # noqa: PLR2004 - 64 bits in hexadecimal
        msg = f"{text!r} is not a digest of 16 hexadecimal digits"
        raise ValueError(msg)
    number = int(text, 16)
    return number - _U64 if number >= _U64 // 2 else number

"""One config as it stands in a scope, and the digest by which two parties find out that they hold the same."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

_U64 = 1 << 64


class Kind(StrEnum):
    """What an entry does at its scope."""

    VALUE = "value"
    """It yields its value."""
    FLAG = "flag"
    """It yields one of its variants, as its rules decide."""
    SEGMENT = "segment"
    """It names an audience for rules to refer to, and cannot be read itself."""
    MASK = "mask"
    """It hides what less specific scopes say for its key."""
    INHERIT = "inherit"
    """It has nothing of its own but a rollout: whoever is not exposed sees what less specific scopes say."""


WITH_VALUE = frozenset({Kind.VALUE, Kind.FLAG, Kind.SEGMENT})
"""The kinds that have a document of their own."""


def known_kind(text: str) -> str:
    """The kind of this name; the name itself where a newer version has kinds that this one does not know."""
    return Kind(text) if text in _KINDS else text


_KINDS = frozenset(Kind)


@dataclass(frozen=True, slots=True)
class Entry:
    """A live entry of one scope. `value` is canonical JSON (see `shared.domain.codec`), empty where its kind has none.

    `kind` is one of `Kind`, or a word of a newer version. `rollout` is the exposure of a candidate over this entry, as
    canonical JSON; empty while there is none.
    """

    key: str
    kind: str
    value: bytes
    version: int
    revision: int
    sensitive: bool = False
    rollout: bytes = b""

    @property
    def digest(self) -> int:
        """This entry's share of its scope's digest."""
        value = value_digest(self.value, sensitive=self.sensitive)
        return entry_digest(
            self.key, self.kind, self.version, value ^ rollout_digest(self.rollout, sensitive=self.sensitive)
        )


def value_digest(value: bytes, *, sensitive: bool) -> int:
    """64 signed bits of a value's canonical JSON.

    Zero for a sensitive value: digests travel in clear, and a short secret could be guessed from one.
    """
    if sensitive or not value:
        return 0
    return int.from_bytes(hashlib.blake2b(value, digest_size=8).digest(), signed=True)


def rollout_digest(rollout: bytes, *, sensitive: bool) -> int:
    """64 signed bits of an exposure's canonical JSON, never those of an equal value; zero where a candidate is secret.

    The exclusive or of this and the value's digest goes into the entry's.
    """
    if sensitive or not rollout:
        return 0
    return int.from_bytes(hashlib.blake2b(rollout, digest_size=8, person=b"rollout").digest(), signed=True)


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

"""The audit chain: what a record says, and how anybody can check that none was altered, added or taken away.

The hash of a record is SHA-256 over the hash of the record before it and the record's own canonical bytes. An export
has one line for each record: these bytes with both hashes put in before the closing brace.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.domain.codec import Json, MalformedJsonError, decode

HASH_LENGTH = 32
_SEAL = re.compile(rb', "previous_hash": "([0-9a-f]{64})", "hash": "([0-9a-f]{64})"\}')
_SEAL_LENGTH = len(', "previous_hash": "", "hash": ""}') + 4 * HASH_LENGTH


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One act: who did what to what, from where, and how it ended. Empty where the record does not say."""

    seq: int
    at: datetime
    actor: str
    action: str
    detail: Json
    role: str = ""
    address: str = ""
    user_agent: str = ""
    request_id: str = ""
    source: str = ""
    object: str = ""
    outcome: str = ""
    revision: int | None = None
    previous_hash: bytes = b""
    hash: bytes = b""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which records; every given field narrows. `action` is how it begins; `until` is not included."""

    actor: str | None = None
    action: str | None = None
    object: str | None = None
    app_id: str | None = None
    environment: str | None = None
    key: str | None = None
    outcome: str | None = None
    source: str | None = None
    revision: int | None = None
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A place in the chain: a record's number and its hash. Before the first record: 0, and the installation's own."""

    seq: int
    hash: bytes

    @classmethod
    def first(cls, installation: str) -> "Link":
        """Where the chain of an installation begins."""
        return cls(0, hashlib.sha256(installation.encode()).digest())


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where the chain goes on after records were archived: the last of these, how many, when and by whom."""

    link: Link
    count: int
    archived_at: datetime
    archived_by: str


class Flaw(StrEnum):
    """What can be wrong with a chain."""

    ALTERED = "altered"
    UNLINKED = "unlinked"
    MISSING = "missing"
    MISPLACED = "misplaced"
    TRUNCATED = "truncated"
    REWRITTEN = "rewritten"
    UNREADABLE = "unreadable"


MEANING = {
    Flaw.ALTERED: "The record does not hash to what it says: it was altered.",
    Flaw.UNLINKED: "The record does not go on from the one before it: one of the two was put in another's place.",
    Flaw.MISSING: "A record is missing here.",
    Flaw.MISPLACED: "The record stands behind one that came after it: it was put in, repeated or moved.",
    Flaw.TRUNCATED: "The chain ends before this record.",
    Flaw.REWRITTEN: "The chain ends in another hash than it should: it was written anew from some record on.",
    Flaw.UNREADABLE: "The line is not a record as exports have it.",
}


@dataclass(frozen=True, slots=True)
class Break:
    """The first place where a chain is not what it was: a record's number, and why."""

    seq: int
    flaw: Flaw

    @property
    def detail(self) -> str:
        """Why, in a sentence."""
        return MEANING[self.flaw]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A record with the hashes that bind it: what the checking needs of it."""

    seq: int
    canonical: bytes
    previous_hash: bytes
    hash: bytes

    @classmethod
    def read(cls, line: bytes) -> "Sealed | None":
        """A line of an export, without its line feed; None if it is none."""
        found = _SEAL.fullmatch(line[-_SEAL_LENGTH:])
        if found is None:
            return None
        canonical = line[:-_SEAL_LENGTH] + b"}"
        try:
            seq = decode(canonical)["seq"]
        except (MalformedJsonError, KeyError, TypeError):
            return None
        return cls(seq, canonical, *map(_bytes, found.groups())) if type(seq) is int else None

    @property
    def intact(self) -> bool:
        """Whether the record hashes to what it says."""
        return hashlib.sha256(self.previous_hash + self.canonical).digest() == self.hash


class Chain:
    """Follows a chain record by record; `last` is the record up to which it is whole.

    Without an `anchor` it begins with whatever record comes first, and what that one goes on from is not checked.
    """

    def __init__(self, anchor: Link | None = None) -> None:
        self.last = anchor
        self.count = 0

    def follow(self, line: bytes) -> Break | None:
        """Take the next record; returns what is wrong with it."""
        record = Sealed.read(line)
        if record is None:
            return Break(self.last.seq + 1 if self.last else 1, Flaw.UNREADABLE)
        if flaw := self._flaw(record):
            seq = self.last.seq + 1 if self.last and flaw is Flaw.MISSING else record.seq
            return Break(seq, flaw)
        self.last = Link(record.seq, record.hash)
        self.count += 1
        return None

    def _flaw(self, record: Sealed) -> Flaw | None:
        if self.last is not None:
            if record.seq > self.last.seq + 1:
                return Flaw.MISSING
            if record.seq <= self.last.seq:
                return Flaw.MISPLACED
            if record.previous_hash != self.last.hash:
                return Flaw.UNLINKED
        return None if record.intact else Flaw.ALTERED

    def end(self, head: Link) -> Break | None:
        """Hold the end of the chain against where it should end; returns what is wrong."""
        if self.last is None or self.last.seq < head.seq:
            return Break(self.last.seq + 1 if self.last else head.seq, Flaw.TRUNCATED)
        if self.last.seq > head.seq:
            return Break(head.seq + 1, Flaw.MISPLACED)
        return None if self.last.hash == head.hash else Break(head.seq, Flaw.REWRITTEN)


def _bytes(hexadecimal: bytes) -> bytes:
    return bytes.fromhex(hexadecimal.decode())

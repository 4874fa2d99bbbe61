"""The audit chain."""

from dataclasses import dataclass
from typing import Protocol

from control_plane.domain.attribution import Attribution
from control_plane.domain.audit import Anchor, AuditFilter, AuditRecord, Link
from control_plane.ports.pages import Page
from shared.domain.codec import Json


@dataclass(frozen=True, slots=True)
class AuditExtent:
    """From where to where the audit chain reaches: what it goes on from, where it should end, and its newest record."""

    installation: str
    anchor: Link
    head: Link
    newest: int


@dataclass(frozen=True, slots=True)
class AuditLines:
    """Some records as an export has them, and the number up to which all was looked at; None if that was the end."""

    lines: bytes
    count: int
    last: int | None


class AuditLog(Protocol):
    """The audit chain: what is no change is added here; all of it is read, exported and archived."""

    async def record(self, by: Attribution, action: str, object_: str, detail: Json, outcome: str = "done") -> int:
        """Add a record at the head of the chain; returns its number."""
        ...

    async def get(self, seq: int) -> AuditRecord:
        """One record that is not archived.

        Raises:
            NotFoundError: there is none with this number.
        """
        ...

    async def list(self, where: AuditFilter, *, limit: int, cursor: str | None) -> Page[AuditRecord]:
        """Records, newest first. A page may have fewer than `limit`, or none, and yet not be the last one."""
        ...

    async def extent(self) -> AuditExtent:
        """From where to where the chain reaches now."""
        ...

    async def lines(
        self, where: AuditFilter, after: int, through: int, limit: int, *, proving: bool = False
    ) -> AuditLines:
        """Records after one number and up to another, oldest first; `proving`: as they are on the primary."""
        ...

    async def archive(self, by: Attribution, through: int, last_hash: bytes) -> Anchor:
        """Let an export stand for the records up to one.

        Raises:
            NotFoundError: there is no such record, or it is archived already.
            ConflictError: its hash is another, or records before it are missing.
        """
        ...

    async def anchors(self, *, limit: int, cursor: str | None) -> Page[Anchor]:
        """What was archived, newest first."""
        ...

    async def prune(self) -> int:
        """Take away some of the records that are archived; returns how many, 0 if none is left."""
        ...

"""The audit chain as it is written by acts that are no change, found, exported and archived (port `AuditLog`)."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import asyncpg

from control_plane.domain.attribution import Attribution
from control_plane.domain.audit import Anchor, AuditFilter, AuditRecord, Link
from control_plane.domain.errors import NotFoundError
from control_plane.ports.audit import AuditExtent, AuditLines
from control_plane.ports.pages import Page
from control_plane.postgres.cursors import BEFORE_ALL, page, read_cursor, write_cursor
from control_plane.postgres.errors import refusal
from control_plane.postgres.pool import fetch
from control_plane.postgres.queries import sql
from control_plane.postgres.reads import Reads
from control_plane.postgres.rows import attributed
from shared.domain.codec import Json, decode, encode

WINDOW = 100_000
"""Records that one page looks through at most, where no index leads to those that are wanted."""
PAGE_BYTES = 1_000_000
"""Details of one page, as stored: a record of a large change can have megabytes."""
_SLACK = 1_000
"""Records by which a time may be off: clocks are set back now and then."""
_PRUNED = 10_000
"""Records that one statement takes away."""

_RECORD = sql("record_audit")
_GET = sql("get_audit_record")
_FIND = sql("find_audit_records")
_EXPORT = sql("export_audit_records")
_EXTENT = sql("audit_extent")
_SEQS = sql("audit_seqs")
_ARCHIVE = sql("archive_audit")
_ANCHORS = sql("list_audit_anchors")
_PRUNE = sql("prune_audit")
_KIND = "audit record"


class PostgresAuditLog:
    """Reads go where heavy reads go, but for those that prove something: these ask the primary."""

    def __init__(self, pool: asyncpg.Pool, reads: Reads | None = None) -> None:
        self._pool, self._reads = pool, reads or Reads(pool)

    async def record(self, by: Attribution, action: str, object_: str, detail: Json, outcome: str = "done") -> int:
        """Add a record at the head of the chain; returns its number."""
        text = encode(detail).decode()
        rows = await fetch(self._pool, _RECORD, attributed(by), action, object_, text, outcome)
        return int(rows[0][0])

    async def get(self, seq: int) -> AuditRecord:
        """One record that is not archived."""
        rows = await self._reads.fetch(_GET, seq) if seq <= BEFORE_ALL else []
        if not rows:
            raise NotFoundError(_KIND, str(seq))
        return _record(rows[0])

    async def list(self, where: AuditFilter, *, limit: int, cursor: str | None) -> Page[AuditRecord]:
        """Records, newest first. A page may have fewer than `limit`, or none, and yet not be the last one."""
        (before,) = read_cursor(cursor, [BEFORE_ALL])
        first, end = await self._range(where)
        before = min(before, end)
        after = first if _is_selective(where) else max(first, before - 1 - WINDOW)
        rows = await self._reads.fetch(_FIND, _wanted(where), after, before, limit + 1, PAGE_BYTES)
        shown = rows[:limit]
        if rows and rows[0]["found"] > len(shown):
            return Page(tuple(map(_record, shown)), write_cursor(shown[-1]["seq"]))
        return Page(tuple(map(_record, shown)), write_cursor(after + 1) if after > first else None)

    async def extent(self) -> AuditExtent:
        """From where to where the chain reaches now."""
        (row,) = await fetch(self._pool, _EXTENT)
        return AuditExtent(
            installation=row["installation"],
            anchor=Link(row["anchor_seq"], row["anchor_hash"]),
            head=Link(row["head_seq"], row["head_hash"]),
            newest=row["newest"],
        )

    async def lines(
        self, where: AuditFilter, after: int, through: int, limit: int, *, proving: bool = False
    ) -> AuditLines:
        """Records after one number and up to another, oldest first, as an export has them."""
        first, end = await self._range(where) if where.since or where.until else (0, BEFORE_ALL)
        after, before = max(after, first), min(through + 1, end)
        upto = before if _is_selective(where) else min(before, after + 1 + WINDOW)
        arguments = (_EXPORT, _wanted(where), after, upto, limit, PAGE_BYTES)
        (row,) = await (fetch(self._pool, *arguments) if proving else self._reads.fetch(*arguments))
        if row["count"]:
            return AuditLines(row["lines"], row["count"], row["last"])
        return AuditLines(b"", 0, upto - 1 if upto < before else None)

    async def archive(self, by: Attribution, through: int, last_hash: bytes) -> Anchor:
        """Let an export stand for the records up to one."""
        rows = await fetch(self._pool, _ARCHIVE, attributed(by), through, last_hash)
        answer = decode(rows[0][0])
        if "state" in answer:
            raise refusal(answer["state"], answer["detail"])
        archived_at = datetime.fromisoformat(answer["archived_at"])
        return Anchor(Link(through, last_hash), answer["count"], archived_at, by.principal)

    async def anchors(self, *, limit: int, cursor: str | None) -> Page[Anchor]:
        """What was archived, newest first."""
        (before,) = read_cursor(cursor, [BEFORE_ALL])
        return page(await self._reads.fetch(_ANCHORS, before, limit + 1), limit, _anchor, "seq")

    async def prune(self) -> int:
        """Take away some of the records that are archived; returns how many, 0 if none is left."""
        return int((await fetch(self._pool, _PRUNE, _PRUNED))[0][0])

    async def _range(self, where: AuditFilter) -> tuple[int, int]:
        """The numbers between which all records are that may be wanted."""
        extent = (await self._reads.fetch(_EXTENT))[0]
        first, end = extent["anchor_seq"], extent["newest"] + 1
        if where.since or where.until:
            near = (await self._reads.fetch(_SEQS, where.until, where.since))[0]
            if where.until:
                end = min(end, (near["until"] or 0) + 1 + _SLACK)
            if where.since:
                first = max(first, min(near["since"] or end, end) - 1 - _SLACK)
        return first, end


def _is_selective(where: AuditFilter) -> bool:
    """Whether an index leads to what is wanted."""
    return any(each is not None for each in (where.actor, where.object, where.app_id, where.key, where.revision))


def _wanted(where: AuditFilter) -> str:
    return encode({name: value for name, value in asdict(where).items() if value is not None}).decode()


def _record(row: asyncpg.Record) -> AuditRecord:
    texts: dict[str, Any] = {
        name: row[name] or "" for name in ("role", "address", "user_agent", "request_id", "source", "object", "outcome")
    }
    return AuditRecord(
        seq=row["seq"],
        at=row["at"],
        actor=row["actor"],
        action=row["action"],
        detail=decode(row["detail"]),
        revision=row["revision"],
        previous_hash=row["previous_hash"],
        hash=row["hash"],
        **texts,
    )


def _anchor(row: asyncpg.Record) -> Anchor:
    return Anchor(Link(row["seq"], row["hash"]), row["count"], row["archived_at"], row["archived_by"])

"""What is recorded of acts that are no change, and how the record is read, exported, checked and archived.

Changes, and whatever alters the registry, policies or credentials, are recorded in the transaction that does them. What
only reveals something, or was denied, comes through here.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from control_plane.domain.attribution import Attribution
from control_plane.domain.audit import Anchor, AuditFilter, AuditRecord, Break, Chain, Flaw, Link
from control_plane.domain.errors import InvalidError
from control_plane.ports.audit import AuditExtent, AuditLog
from control_plane.ports.pages import Page
from shared.domain.codec import Json
from shared.wire.problem import Violation

LINES = 500
"""Records that are read at once for an export or a check."""

_EVERYTHING = AuditFilter()


@dataclass(frozen=True, slots=True)
class Verification:
    """How far the chain was followed, and the first thing wrong with it. `complete`: to its end, or to that thing."""

    extent: AuditExtent
    checked: int
    last: Link
    complete: bool
    broken: Break | None


class Audit:
    """Writes to the audit chain and reads from it."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    async def record(self, by: Attribution, action: str, object_: str, detail: Json, outcome: str = "done") -> int:
        """Record an act, before what it reveals is given out; returns the record's number.

        `detail` holds no secret. With `app_id` and `environment` in it, the record is found by these.
        """
        return await self._log.record(by, action, object_, detail, outcome)

    async def get(self, seq: int) -> AuditRecord:
        """One record that is not archived.

        Raises:
            NotFoundError: there is none with this number.
        """
        return await self._log.get(seq)

    async def list(self, where: AuditFilter, *, limit: int, cursor: str | None) -> Page[AuditRecord]:
        """Records, newest first."""
        return await self._log.list(where, limit=limit, cursor=cursor)

    async def range(self, after: int | None, through: int | None) -> tuple[int, int]:
        """What an export reaches over: records after the first number, up to the second.

        Raises:
            InvalidError: some of it is archived.
        """
        extent = await self._log.extent()
        if after is not None and after < extent.anchor.seq:
            detail = f"the records up to {extent.anchor.seq} are archived: leave it out, or begin there"
            raise InvalidError([Violation("?after", detail)])
        head = extent.head.seq
        return extent.anchor.seq if after is None else after, head if through is None else min(through, head)

    async def lines(self, where: AuditFilter, after: int, through: int) -> AsyncIterator[bytes]:
        """Records as an export has them, some at a time: however many there are, no more than these are in memory."""
        last: int | None = after
        while last is not None and last < through:
            page = await self._log.lines(where, last, through, LINES)
            if page.lines:
                yield page.lines
            last = page.last

    async def verify(self, since: Link | None, limit: int) -> Verification:
        """Follow the chain from its anchor, or from a link that was verified before, over at most `limit` records."""
        extent = await self._log.extent()
        start = since if since is not None and since.seq >= extent.anchor.seq else extent.anchor
        found = await self._follow(extent, start, limit)
        if found.broken and (await self._log.extent()).anchor.seq > extent.anchor.seq:
            return await self.verify(since, limit)  # it was archived under our hands
        return found

    async def _follow(self, extent: AuditExtent, start: Link, limit: int) -> Verification:
        chain, reached = Chain(start), start.seq
        while reached < extent.head.seq:
            wanted = min(LINES, limit - chain.count)
            if wanted == 0:
                return Verification(extent, chain.count, chain.last or start, complete=False, broken=None)
            page = await self._log.lines(_EVERYTHING, reached, extent.head.seq, wanted, proving=True)
            for line in page.lines.splitlines():
                if broken := chain.follow(line):
                    return Verification(extent, chain.count, chain.last or start, complete=True, broken=broken)
            if page.last is None:
                break
            reached = page.last
        broken = chain.end(extent.head)
        if broken is None and extent.newest > extent.head.seq:
            broken = Break(extent.head.seq + 1, Flaw.MISPLACED)
        return Verification(extent, chain.count, chain.last or start, complete=True, broken=broken)

    async def archive(self, by: Attribution, through: int, last_hash: bytes) -> Anchor:
        """Let an export stand for the records up to one, and take these away. Its hash shows that the caller has it.

        Raises:
            NotFoundError: there is no such record, or it is archived already.
            ConflictError: its hash is another, or records before it are missing.
        """
        anchor = await self._log.archive(by, through, last_hash)
        while await self._log.prune():
            pass
        return anchor

    async def anchors(self, *, limit: int, cursor: str | None) -> Page[Anchor]:
        """What was archived, newest first."""
        return await self._log.anchors(limit=limit, cursor=cursor)

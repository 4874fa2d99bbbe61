"""What is recorded of acts that are no change, and how the record is read, exported, checked and archived.

Changes, and whatever alters the registry, policies or credentials, are recorded in the transaction that does them. What
only reveals something, or was denied, comes through here.
"""

from control_plane.domain.attribution import Attribution
from control_plane.domain.audit import AuditFilter, AuditRecord
from control_plane.ports import AuditLog, Page
from shared.wire.codec import Json

LINES = 1_000
"""Records that are read at once for an export or a check."""


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

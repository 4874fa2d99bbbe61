"""Records which agents' tokens have read secrets: each once a day, a little later, and only so many at a time.

Agents fetch all the time, and all at once after an outage. So what they read is noted in memory, and told a few
records at a time: the chain grows by the number of tokens a day at most, and nobody who commits waits for it.
"""

import logging
from collections import OrderedDict

import anyio
from anyio.abc import TaskStatus

from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import UnavailableError
from control_plane.services.audit import Audit
from shared.runtime.clock import Clock

ONCE_IN = 24 * 3600.0
"""Seconds in which a token's reading is told once, by each replica."""
LOOK = 5.0
"""Seconds between two turns of telling."""
TOLD = 20
"""Records of one turn."""
MAX_TOKENS = 20_000
READ = "secrets.read"

_log = logging.getLogger(__name__)


class Reveals:
    """Notes reads of secrets, and tells the audit chain. What a replica that is killed has not told is lost."""

    def __init__(self, audit: Audit, clock: Clock) -> None:
        self._audit, self._clock = audit, clock
        self._seen: OrderedDict[str, float] = OrderedDict()
        self._untold: OrderedDict[str, tuple[Attribution, dict[str, str]]] = OrderedDict()

    def add(self, by: Attribution, app_id: str, environment: str) -> None:
        """Note that a token was given the secrets of its app/environment."""
        now = self._clock.monotonic()
        if now - self._seen.get(by.principal, float("-inf")) < ONCE_IN or len(self._untold) >= MAX_TOKENS:
            return
        self._seen[by.principal] = now
        self._seen.move_to_end(by.principal)
        if len(self._seen) > MAX_TOKENS:
            self._seen.popitem(last=False)
        detail = {"app_id": app_id, "environment": environment, "first": self._clock.now().isoformat()}
        self._untold[by.principal] = (by, detail)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Tell what was noted, some at a time, until cancelled."""
        task_status.started()
        while True:
            await anyio.sleep(LOOK)
            await self.tell()

    async def tell(self) -> None:
        """Record some of what was noted; what cannot be recorded now is kept."""
        for principal in list(self._untold)[:TOLD]:
            by, detail = self._untold[principal]
            place = f"env.{detail['app_id']}.{detail['environment']}"
            try:
                await self._audit.record(by, READ, place, detail)
            except UnavailableError as error:
                _log.warning("reads of secrets could not be recorded yet", extra={"reason": str(error)})
                return
            del self._untold[principal]

"""Takes away what nobody needs any more: old outbox rows and idempotency keys."""

import logging

import anyio
from anyio.abc import TaskStatus

from control_plane.ports.outbox import Leadership, Outbox
from control_plane.workers.leader import lead

_log = logging.getLogger(__name__)

RETENTION = 24 * 3600.0
"""Seconds for which published rows stay: they answer a replica that was away, and repeated requests."""

_EVERY = 600.0


class Housekeeping:
    """One replica does it, under a leadership of its own, so that it is done without a broker too."""

    def __init__(self, leadership: Leadership, retention: float = RETENTION, interval: float = _EVERY) -> None:
        self._leadership, self._retention, self._interval = leadership, retention, interval

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Tidy up now and then until cancelled."""
        task_status.started()
        await lead(self._leadership, self._tidy_up, "housekeeping")

    async def _tidy_up(self, outbox: Outbox) -> None:
        while True:
            if (pruned := await outbox.prune(self._retention)) > 0:
                _log.info("pruned", extra={"rows": pruned})
            await anyio.sleep(self._interval)

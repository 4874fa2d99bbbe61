"""Seals sensitive values anew: those from before they were sealed, and those under keys that were replaced."""

import logging

import anyio
from anyio.abc import TaskStatus

from control_plane.domain.errors import KeyLostError
from control_plane.ports.keys import Renewal
from control_plane.ports.outbox import Leadership, Outbox
from control_plane.workers.leader import lead

AT_ONCE = 100
"""Values of one step: an operator's change waits for no more than this."""
REST = 0.05
"""Seconds between two steps."""
LOOK_EVERY = 60.0
"""Seconds between two looks whether there is anything to do."""

_log = logging.getLogger(__name__)


class RenewalWorker:
    """One replica does it; another goes on where that one stopped."""

    def __init__(self, leadership: Leadership, renewal: Renewal, look_every: float = LOOK_EVERY) -> None:
        self._leadership, self._renewal, self._look_every = leadership, renewal, look_every

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Compete and renew until cancelled."""
        task_status.started()
        await lead(self._leadership, self._renew, "renewal")

    async def _renew(self, outbox: Outbox) -> None:
        while True:
            await outbox.hold()
            try:
                done = await self._all(outbox)
            except KeyLostError as error:
                _log.error("sensitive values cannot be sealed anew", extra={"reason": str(error)})
            else:
                if done:
                    _log.info("sealed anew", extra={"values": done})
            await anyio.sleep(self._look_every)

    async def _all(self, outbox: Outbox) -> int:
        done = await self._renewal.rewrap()
        while step := await self._renewal.step(AT_ONCE):
            done += step
            await outbox.hold()
            await anyio.sleep(REST)
        return done

"""Commits scheduled changes at their time, and lets those expire that nobody approved: one replica leads.

Leading saves work and nothing else: the commit itself sees to it that a change is carried out once. So a leader that
hangs, and comes back when another leads already, does no harm.
"""

import anyio
from anyio.abc import TaskStatus

from control_plane.ports.outbox import Leadership, Outbox
from control_plane.services.due import Due
from control_plane.workers.leader import lead

_LOOK_EVERY = 0.4
"""Seconds after which the leader looks for changes that were scheduled meanwhile, for a time that is soon."""
_LEAST = 0.02
"""Seconds between two looks, whatever is due: what waits for something that is away is tried again."""


class Scheduler:
    """Sleeps until the next change is due."""

    def __init__(self, leadership: Leadership, due: Due) -> None:
        self._leadership, self._due = leadership, due

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Compete and carry out until cancelled."""
        task_status.started()
        await lead(self._leadership, self._follow, "scheduler")

    async def _follow(self, outbox: Outbox) -> None:
        while True:
            await outbox.hold()
            until = await self._due.carry_out()
            await anyio.sleep(_LOOK_EVERY if until is None else min(_LOOK_EVERY, max(_LEAST, until)))

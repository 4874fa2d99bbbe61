"""Drives rollouts: one replica leads. It sleeps until something is due, or an agent raises the alarm.

Leading saves work and nothing else: each move is carried out once, whoever tries.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import anyio
from anyio.abc import TaskStatus

from control_plane.ports.outbox import Leadership, Outbox
from control_plane.services.rollouts.driving import Driving
from control_plane.workers.leader import lead

_LOOK_EVERY = 0.4
"""Seconds after which the leader looks for what people did meanwhile."""
_LEAST = 0.02
"""Seconds between two looks, whatever is due."""


class Rollouts:
    """Looks whenever something is due."""

    def __init__(
        self,
        leadership: Leadership,
        driving: Driving,
        alarms: Callable[[], AbstractAsyncContextManager[AsyncIterator[int]]],
    ) -> None:
        self._leadership, self._driving, self._alarms = leadership, driving, alarms
        self._alarm = anyio.Event()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Compete and drive until cancelled."""
        task_status.started()
        async with anyio.create_task_group() as group:
            group.start_soon(self._listen)
            await lead(self._leadership, self._follow, "rollouts")

    async def _listen(self) -> None:
        async with self._alarms() as alarms:
            async for _ in alarms:
                self._alarm.set()

    async def _follow(self, outbox: Outbox) -> None:
        async with anyio.create_task_group() as group:
            alarmed = False
            while True:
                await outbox.hold()
                await self._driving.begin(group, alarmed=alarmed)
                until = self._driving.wait()
                with anyio.move_on_after(_LOOK_EVERY if until is None else min(_LOOK_EVERY, max(_LEAST, until))):
                    await self._alarm.wait()
                alarmed = self._alarm.is_set()
                if alarmed:
                    self._alarm = anyio.Event()

"""Tells the agents that follow by SSE, every few seconds, what they should be at."""

import anyio
from anyio.abc import TaskStatus

from control_plane.services.feed import Feed


class Heartbeats:
    """Every replica sends them to its own readers."""

    def __init__(self, feed: Feed, interval: float) -> None:
        self._feed, self._interval = feed, interval

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Send them until cancelled."""
        task_status.started()
        while True:
            await anyio.sleep(self._interval)
            await self._feed.send_heartbeats(self._interval)

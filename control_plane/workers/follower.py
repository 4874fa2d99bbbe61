"""Keeps this replica's feed level with the database: at each ring of the bell, and once a second without one."""

import logging

import anyio
from anyio.abc import TaskStatus

from control_plane.domain.errors import UnavailableError
from control_plane.ports.lossy import Notices
from control_plane.services.feed import Feed
from shared.runtime.clock import Clock, SystemClock

_log = logging.getLogger(__name__)


class Follower:
    """Survives the database's outages: the feed keeps its last state meanwhile."""

    def __init__(self, feed: Feed, notices: Notices, interval: float = 1.0, clock: Clock | None = None) -> None:
        self._feed, self._notices, self._interval = feed, notices, interval
        self._clock = clock or SystemClock()
        self._away = False

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Follow until cancelled."""
        async with self._notices.listen() as rings:
            task_status.started()
            looked = self._clock.monotonic()
            while True:
                rung = 0
                with anyio.move_on_after(max(0.0, looked + self._interval - self._clock.monotonic())):
                    rung = await anext(rings)
                now = self._clock.monotonic()
                if rung == 0 or now - looked >= self._interval:
                    looked = now
                    await self._look(0)
                elif rung > self._feed.revision:
                    await self._look(rung)

    async def _look(self, at_least: int) -> None:
        try:
            await self._feed.catch_up(at_least)
        except UnavailableError as error:
            if not self._away:
                _log.warning("cannot follow the database", extra={"error": str(error)})
            self._away = True
        else:
            if self._away:
                _log.info("following the database again", extra={"revision": self._feed.revision})
            self._away = False

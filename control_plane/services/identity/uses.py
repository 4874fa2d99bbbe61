"""When credentials were last used: noted in memory with each request, kept in the database now and then."""

import logging
from uuid import UUID

import anyio
from anyio.abc import TaskStatus

from control_plane.domain.access.principal import Principal
from control_plane.domain.api_key import Use
from control_plane.domain.errors import UnavailableError
from control_plane.ports.credentials import Credentials
from shared.runtime.clock import Clock

KEEP_EVERY = 10.0
"""Seconds for which a use is known to this replica alone; it is lost with it."""
MOST_NOTED = 50_000
"""Credentials that are noted between two times: those of more are not."""
_BATCH = 1_000

_log = logging.getLogger(__name__)


class Uses:
    """Notes the latest use of each credential that has an id in the database."""

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self._credentials, self._clock = credentials, clock
        self._noted: dict[str, Use] = {}

    def note(self, principal: Principal, address: str) -> None:
        """It was used just now."""
        shown = principal.credential
        if shown and (shown in self._noted or len(self._noted) < MOST_NOTED):
            self._noted[shown] = Use(UUID(shown), self._clock.now(), address)

    async def keep(self) -> None:
        """Keep what was noted.

        Raises:
            UnavailableError: that cannot be done now; what was noted is noted still.
        """
        while self._noted:
            batch = dict(list(self._noted.items())[:_BATCH])
            await self._credentials.used(list(batch.values()))
            for shown, use in batch.items():
                if self._noted.get(shown) is use:
                    del self._noted[shown]

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Keep what was noted every few seconds, until cancelled."""
        task_status.started()
        while True:
            await anyio.sleep(KEEP_EVERY)
            try:
                await self.keep()
            except UnavailableError as error:
                _log.debug("uses of credentials are not kept yet", extra={"reason": str(error)})

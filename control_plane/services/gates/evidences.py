"""What agents report about candidates, on its way in: kept, and called out if it is alarming."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from uuid import UUID

from control_plane.domain.gates.evidence import EvidenceReport
from control_plane.ports.evidence import Evidence
from control_plane.ports.lossy import Notices
from shared.runtime.clock import Clock, unix_ms


class Evidences:
    """Keeps reports. Whoever drives rollouts hears at once that an application became unhealthy under one."""

    def __init__(self, evidence: Evidence, bell: Notices, clock: Clock) -> None:
        self._evidence, self._bell, self._clock = evidence, bell, clock

    async def record(self, report: EvidenceReport) -> None:
        """Keep a report; the same one again changes nothing.

        Raises:
            UnavailableError: there is nowhere to keep it now.
        """
        now_ms = unix_ms(self._clock.now())
        if (await self._evidence.record(report, now_ms)).alarming:
            await self._bell.ring(now_ms)

    async def forget(self, rollout: UUID) -> None:
        """The rollout is over: nobody needs what was reported about it.

        Raises:
            UnavailableError: it cannot be forgotten now; it will be by itself.
        """
        await self._evidence.forget(rollout)

    def alarms(self) -> AbstractAsyncContextManager[AsyncIterator[int]]:
        """Hear alarms (moments) until the block ends. They may be lost: look at due gates all the same."""
        return self._bell.listen()

"""What agents report about candidates, on its way in: kept, and called out if it is alarming."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from uuid import UUID

from control_plane.domain.gates.evidence import EvidenceReport
from control_plane.ports.evidence import Evidence
from control_plane.ports.lossy import Notices
from control_plane.services.gates.concerned import Concerned
from shared.runtime.clock import Clock, unix_ms


class Evidences:
    """Keeps reports. Whoever drives rollouts hears at once that an application became unhealthy under one.

    `concerned` leaves out what an agent says of rollouts that are not of its app/environment.
    """

    def __init__(self, evidence: Evidence, bell: Notices, clock: Clock, concerned: Concerned | None = None) -> None:
        self._evidence, self._bell, self._clock, self._concerned = evidence, bell, clock, concerned

    async def record(self, report: EvidenceReport) -> None:
        """Keep a report; the same one again changes nothing.

        Raises:
            UnavailableError: there is nowhere to keep it now.
        """
        report = report if self._concerned is None else await self._concerned.only(report)
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

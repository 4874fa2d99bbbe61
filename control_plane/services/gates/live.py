"""The live agents of a scope, for judges who look again and again."""

import anyio

from control_plane.ports.lossy import AgentPresence, Presence
from control_plane.services.fleet import concerns
from shared.domain.scope import Scope
from shared.runtime.clock import Clock

_SLOW = 0.02
"""Seconds from which on a listing counts as one of a large fleet."""
_SPARE = 20.0
"""How many times as long as it took to make it a listing of a large fleet is used: at 10,000 agents some seconds."""
_MAX_KEPT = 100


class LiveAgents:
    """Lists agents, and those of a large fleet not more often than costs a twentieth of the time."""

    def __init__(self, presence: Presence, clock: Clock) -> None:
        self._presence, self._clock = presence, clock
        self._kept: dict[Scope, tuple[float, list[AgentPresence]]] = {}
        self._turn = anyio.Lock()

    async def of(self, scope: Scope) -> list[AgentPresence]:
        """The live agents that see this scope.

        Raises:
            UnavailableError: the reports cannot be read.
        """
        async with self._turn:
            began = self._clock.monotonic()
            self._kept = {key: kept for key, kept in self._kept.items() if kept[0] > began}
            if scope in self._kept:
                return self._kept[scope][1]
            listed = await self._presence.list(scope.app_id, scope.environment)
            found = [each for each in listed if concerns((scope,), each.report)]
            ended = self._clock.monotonic()
            if ended - began > _SLOW and len(self._kept) < _MAX_KEPT:
                self._kept[scope] = (ended + _SPARE * (ended - began), found)
            return found

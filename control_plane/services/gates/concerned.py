"""Which app/environments a rollout concerns: an agent speaks of no other's candidates."""

from dataclasses import replace
from uuid import UUID

from control_plane.domain.errors import NotFoundError
from control_plane.domain.gates.evidence import EvidenceReport
from control_plane.ports.rollouts import Rollouts
from shared.domain.scope import Lineage, Scope
from shared.runtime.clock import Clock

_REMEMBERED = 10_000
_LOOKED_UP = 20
"""Rollouts that one report may have looked up; what it says of more is left out."""
_UNKNOWN_FOR = 5.0
"""Seconds for which an id that is unknown is not looked up again: a replica may read what is older."""


class Concerned:
    """Remembers where rollouts stand, so that reports cost no look at the database."""

    def __init__(self, rollouts: Rollouts, clock: Clock) -> None:
        self._rollouts, self._clock = rollouts, clock
        self._scopes: dict[UUID, Scope] = {}
        self._unknown: dict[UUID, float] = {}

    async def only(self, report: EvidenceReport) -> EvidenceReport:
        """The report, as far as it is about rollouts that its app/environment sees.

        Raises:
            UnavailableError: the database is away, and one of them is not remembered.
        """
        lineage = Lineage.of(report.app_id, report.environment)
        named = {*(each.rollout for each in report.outcomes), *(each.rollout for each in report.health)}
        remembered = {each for each in named if each in self._scopes}
        looked_up = sorted(named - remembered)[:_LOOKED_UP]  # an honest agent names few that are new
        known = {each for each in (*remembered, *looked_up) if await self._scope(each) in lineage}
        return replace(
            report,
            outcomes=tuple(each for each in report.outcomes if each.rollout in known),
            health=tuple(each for each in report.health if each.rollout in known),
        )

    async def _scope(self, rollout: UUID) -> Scope | None:
        if (known := self._scopes.get(rollout)) is not None:
            return known
        now = self._clock.monotonic()
        if self._unknown.get(rollout, float("-inf")) > now:
            return None
        if len(self._scopes) + len(self._unknown) >= _REMEMBERED:
            self._scopes.clear()
            self._unknown.clear()
        try:
            found = (await self._rollouts.get(rollout)).scope
        except NotFoundError:
            self._unknown[rollout] = now + _UNKNOWN_FOR
            return None
        self._scopes[rollout] = found
        return found

"""Where a rollout is: what it waits for and why, what its gates showed last, and its numbers now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from control_plane.domain.errors import NotFoundError, UnavailableError
from control_plane.domain.gates.evalue import Tally
from control_plane.domain.gates.evidence import Status
from control_plane.domain.gates.judging import judge_step
from control_plane.domain.gates.measurement import Measurement, latest, remembered
from control_plane.domain.rollouts import machine
from control_plane.domain.rollouts.outlook import Row, outlook
from control_plane.domain.rollouts.rollout import Rollout, rollout_of
from control_plane.domain.rollouts.words import EXPOSED, LEGAL, Action, Phase
from control_plane.domain.transition import RolloutEvent, StoredRollout
from control_plane.ports.evidence import Evidence
from control_plane.ports.rollouts import RolloutFilter, Rollouts
from control_plane.ports.rules import RuleBook
from control_plane.services.fleet import Fleet
from shared.domain.scope import Scope
from shared.runtime.clock import Clock, unix_ms

_LOOKED_AT = 200
"""Events in which the latest measurements and the reason of a pause are looked for."""
_NOTHING = Tally()


@dataclass(frozen=True, slots=True)
class Agents:
    """Live agents that see the config, and how many of them have the rollout as it is now."""

    concerned: int
    applied: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Numbers:
    """What is known now; None where it is not known, because it is over or where it is kept is away."""

    agents: Agents | None = None
    outcomes: tuple[Tally, Tally] | None = None
    health: Mapping[Status, int] | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A rollout as it stands. `hidden`: its candidate is shown to nobody.

    `latest` are the last measurements of the gates of its present step, by their index.
    """

    stored: StoredRollout
    rollout: Rollout
    now_ms: int
    hidden: bool
    rows: tuple[Row, ...]
    holding: str
    latest: Mapping[int, Measurement]
    numbers: Numbers

    @property
    def legal_actions(self) -> tuple[Action, ...]:
        """What can be done with it."""
        return LEGAL[self.rollout.phase]

    @property
    def next_ms(self) -> int | None:
        """When the clock does something next: a weight, a step, a window."""
        weights = [each.at_ms for each in self.rollout.timeline if each.at_ms > self.now_ms]
        moments = weights if self.rollout.phase is Phase.PROGRESSING else []
        due = machine.next_ms(self.rollout)
        return min([*moments, *([] if due is None or due <= self.now_ms else [due])], default=None)


class Showing:
    """Looks rollouts up."""

    def __init__(self, store: Rollouts, book: RuleBook, fleet: Fleet, evidence: Evidence, clock: Clock) -> None:
        self._store, self._book = store, book
        self._fleet, self._evidence, self._clock = fleet, evidence, clock

    async def of(self, rollout_id: UUID) -> Standing:
        """One rollout, with all that is known about it now.

        Raises:
            NotFoundError: there is none.
        """
        stored = await self._store.get(rollout_id)
        rollout, now_ms = rollout_of(stored), unix_ms(self._clock.now())
        events = await self._recent(rollout)
        measured = _measured(rollout, events)
        return Standing(
            stored=stored,
            rollout=rollout,
            now_ms=now_ms,
            hidden=rollout.sensitive or await self.is_secret(rollout.scope, rollout.key),
            rows=tuple(outlook(rollout, now_ms)),
            holding=await self._holding(rollout, measured, events, now_ms),
            latest={each.gate: last for each in measured if (last := latest(measured, each.gate)) is not None},
            numbers=await self._numbers(stored, rollout, now_ms),
        )

    async def is_secret(self, own: Scope, key: str) -> bool:
        """Whether a config is a secret now: its entry is, or one that may show through."""
        stand = await self._book.stand([key], [] if own.app_id is None else [own.app_id])
        entries = stand.entries.get(key, {})
        return any(entries[each].sensitive for each in {Scope(), Scope(own.app_id), own} if each in entries)

    async def exposed_beside(self, rollout: Rollout) -> UUID | None:
        """Another rollout that is exposed on the same config."""
        where = RolloutFilter(scope=rollout.scope, key=rollout.key, phases=tuple(EXPOSED))
        found = await self._store.list(where, limit=2, cursor=None)
        return next((each.id for each in found.items if each.id != rollout.id), None)

    async def _recent(self, rollout: Rollout) -> Sequence[RolloutEvent]:
        if rollout.phase is Phase.PENDING or rollout.finished:
            return ()
        return (await self._store.events(rollout.id, limit=_LOOKED_AT, cursor=None)).items

    async def _holding(
        self, rollout: Rollout, measured: Sequence[Measurement], events: Sequence[RolloutEvent], now_ms: int
    ) -> str:
        """Why it does not go on now; nothing where it does, or has ended."""
        match rollout.phase:
            case Phase.PENDING:
                other = await self.exposed_beside(rollout)
                return f"another rollout of this config is exposed: {other}" if other else _until_started(rollout)
            case Phase.PAUSED:
                why = next((each.detail.get("reason") for each in events if each.action == "paused"), None)
                return f"it is paused: {why}" if why else "it is paused"
            case Phase.WAITING:
                gates = rollout.plan.steps[rollout.step].gates
                return judge_step(gates, measured, _began_ms(rollout), now_ms).reason or "its gates are being measured"
            case Phase.PROGRESSING if machine.next_ms(rollout) is None:
                return "its plan ends here: promote it or abort it"
            case _:
                return ""

    async def _numbers(self, stored: StoredRollout, rollout: Rollout, now_ms: int) -> Numbers:
        if rollout.phase not in EXPOSED:
            return Numbers()
        try:
            agents = await self._agents(stored)
            health = await self._health(rollout)
            blocks = await self._evidence.blocks(rollout.id, 0, now_ms)
        except UnavailableError:
            return Numbers()
        candidate, baseline = _NOTHING, _NOTHING
        for each in blocks:
            candidate, baseline = candidate.plus(each.candidate), baseline.plus(each.baseline)
        return Numbers(agents, (candidate, baseline), health)

    async def _agents(self, stored: StoredRollout) -> Agents | None:
        if stored.revision is None:
            return None
        try:
            come = await self._fleet.convergence(stored.revision)
        except NotFoundError:
            return None
        return Agents(come.agents, come.applied, len(come.rejected))

    async def _health(self, rollout: Rollout) -> Mapping[Status, int]:
        said = [each.health.status for each in await self._evidence.health(rollout.id)]
        return {status: said.count(status) for status in Status}


def _until_started(rollout: Rollout) -> str:
    return "it waits to be started" if rollout.start_at_ms is None else ""


def _began_ms(rollout: Rollout) -> int:
    """When the gates were begun: with the step, and anew when it has its weight."""
    return rollout.began_ms if rollout.gates_ms is None else rollout.gates_ms


def _measured(rollout: Rollout, events: Sequence[RolloutEvent]) -> tuple[Measurement, ...]:
    """What the gates of the present step showed since they were begun, oldest first."""
    since = _began_ms(rollout)
    own = (each.detail for each in events if each.action == "measured" and each.detail.get("of") == since)
    return remembered(reversed(list(own)))

"""Tell what a rollout would do, without doing it: its steps on the clock, who would get the candidate, what stands against it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from control_plane.domain.attribution import Attribution
from control_plane.domain.change import BreakGlass, Draft, Forced, Op, Operation
from control_plane.domain.effects import Pair
from control_plane.domain.errors import UnavailableError
from control_plane.domain.gate import Obstacle
from control_plane.domain.gates.aim import aim
from control_plane.domain.preview import MAX_NAMES, Preview, Some, some
from control_plane.domain.rollouts.outlook import Row, outlook
from control_plane.domain.rollouts.rollout import Rollout
from control_plane.domain.rollouts.samples import Exposed, Sample, Sampling
from control_plane.domain.rollouts.spec import NewRollout
from control_plane.ports.registry import Registry
from control_plane.services.fleet import Fleet
from control_plane.services.preview import Previews
from control_plane.services.rollouts.acting import Acting
from control_plane.services.rollouts.showing import Showing
from control_plane.services.snapshots import Snapshots
from shared.domain.codec import decode
from shared.domain.context import EvaluationContext
from shared.domain.entry import Kind
from shared.domain.exposure import parse_exposure
from shared.runtime.clock import Clock, unix_ms
from shared.wire.report import Report

_MOST_ENVIRONMENTS = 1_000


@dataclass(frozen=True, slots=True)
class Instance:
    """A live agent, and from which row of the outlook on it may serve the candidate (None: never)."""

    app_id: str
    environment: str
    instance: str
    candidate_from: int | None


@dataclass(frozen=True, slots=True)
class Instances:
    """Live agents whose environments would see a difference. `exposed` says how many of them may serve the candidate at each row."""

    listed: Some[Instance]
    exposed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RolloutPreview:
    """What a rollout would do if it were started now. `seen_in` is where samples were looked at; None without any.

    `instances` is None while nobody knows which agents live. `change` is what it would come to in the end.
    """

    rollout: Rollout
    rows: tuple[Row, ...]
    samples: tuple[Sample, ...]
    seen_in: tuple[str, str] | None
    instances: Instances | None
    change: Preview
    operations: tuple[Operation, ...]
    obstacles: tuple[Obstacle, ...]
    beside: UUID | None


@dataclass(frozen=True, slots=True)
class Wishes:
    """What else the request says: for whom to tell, and what may override what."""

    contexts: Sequence[EvaluationContext] = ()
    forced: Forced | None = None
    break_glass: BreakGlass | None = None


class Previewing:
    """Previews rollouts that are asked for."""

    def __init__(
        self,
        acting: Acting,
        showing: Showing,
        previews: Previews,
        *,
        snapshots: Snapshots,
        registry: Registry,
        fleet: Fleet,
        clock: Clock,
    ) -> None:
        self._acting, self._showing, self._previews = acting, showing, previews
        self._snapshots, self._registry, self._fleet, self._clock = snapshots, registry, fleet, clock

    async def of(self, asked: NewRollout, by: Attribution, wishes: Wishes) -> RolloutPreview:
        """What this rollout would do.

        Raises:
            TrimtabError: it could not be made whatever its values: something is wrong with it, an unknown name.
        """
        rollout = self._acting.planned(asked, by)
        now_ms = unix_ms(self._clock.now())
        rows = tuple(outlook(rollout, now_ms, exposures=True))
        starting = await self._acting.starting(rollout, by, forced=wishes.forced, break_glass=wishes.break_glass)
        beside = await self._showing.exposed_beside(rollout)
        draft = starting if beside is None else _written(starting, rollout)
        change = await self._previews.of(draft)
        reached = {(each.app_id, each.environment) for each in change.effects.differences}
        seen_in = await self._environment(rollout, reached) if wishes.contexts else None
        return RolloutPreview(
            rollout=rollout,
            rows=rows,
            samples=() if seen_in is None else await self._samples(rows, seen_in, wishes.contexts),
            seen_in=seen_in,
            instances=await self._instances(rollout, rows, reached),
            change=change,
            operations=draft.operations,
            obstacles=change.obstacles,
            beside=beside,
        )

    async def _environment(self, rollout: Rollout, reached: Collection[Pair]) -> Pair | None:
        """Where samples are looked at: in the rollout's own environment, or in the first that would see a difference."""
        scope = rollout.scope
        if scope.app_id is not None and scope.environment is not None:
            return scope.app_id, scope.environment
        pairs = reached or await self._registry.environments(_MOST_ENVIRONMENTS)
        return min((each for each in pairs if scope.app_id in {None, each[0]}), default=None)

    async def _samples(
        self, rows: Sequence[Row], seen_in: tuple[str, str], contexts: Sequence[EvaluationContext]
    ) -> tuple[Sample, ...]:
        view = await self._snapshots.effective(*seen_in)
        sampling = Sampling(view.configs, [Exposed(each.exposure, each.at_ms or 0) for each in rows])
        return tuple(map(sampling.of, contexts))

    async def _instances(self, rollout: Rollout, rows: Sequence[Row], reached: Collection[Pair]) -> Instances | None:
        try:
            live = await self._fleet.agents(rollout.scope.app_id, rollout.scope.environment)
        except UnavailableError:
            return None
        reports = [each.report for each in live if (each.report.app_id, each.report.environment) in reached]
        aims = [aim(parse_exposure(decode(each.exposure)), each.at_ms or 0) for each in rows]
        exposed = [[means(each) for means in aims] for each in reports]
        counts = tuple(sum(column) for column in zip(*exposed, strict=True)) if exposed else (0,) * len(rows)
        shown = [_instance(each, at) for each, at in zip(reports[:MAX_NAMES], exposed, strict=False)]
        return Instances(Some(len(reports), some(shown).items), counts)


def _instance(report: Report, exposed: Sequence[bool]) -> Instance:
    first = next((index for index, each in enumerate(exposed) if each), None)
    return Instance(report.app_id, report.environment, report.instance, first)


def _written(starting: Draft, rollout: Rollout) -> Draft:
    """Beside another rollout none can be tried; what it would come to can: its candidate put there."""
    (operation,) = starting.operations
    put = replace(operation, op=Op.PUT, kind=Kind(rollout.kind), value=rollout.candidate, rollout=b"")
    return replace(starting, operations=(put,), transition=None)

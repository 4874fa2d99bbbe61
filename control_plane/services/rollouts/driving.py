"""What happens to rollouts by themselves: times come, gates pass or fail, windows close. One replica drives.

Whatever is decided is decided on a rollout as it was read, and carried out only if it still is so: a leader that hangs,
and comes back when another one leads, does no harm. What gates measure is kept in the rollout's history, so another
leader goes on where this one ended.
"""

import logging
from dataclasses import dataclass
from uuid import UUID

import anyio
from anyio.abc import TaskGroup

from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import StaleRolloutError, TrimtabError, UnavailableError
from control_plane.domain.rollouts import machine
from control_plane.domain.rollouts.rollout import Rollout, rollout_of
from control_plane.domain.rollouts.words import EXPOSED
from control_plane.domain.transition import StoredRollout
from control_plane.ports.rollouts import Rollouts as Store
from control_plane.services.rollouts.looking import Looking
from control_plane.services.rollouts.moving import Moving
from shared.runtime.clock import Clock, unix_ms

_log = logging.getLogger(__name__)

MAX_ROLLOUTS = 10_000
"""Unfinished ones that are driven; the newest wait."""
_MOVES = 10
"""Of one rollout at one look; a plan whose times are all past goes through its steps in a few looks."""
_AT_ONCE = 20
"""Rollouts whose gates are measured at the same time."""
_AGAIN_MS = 5_000
"""After how long something is tried again that did not work."""
_NEVER = 2**62


@dataclass(slots=True)
class _Watched:
    """An unfinished rollout as it was read last, and when it is to be looked at next."""

    stored: StoredRollout
    rollout: Rollout
    due_ms: int = 0
    busy: bool = False
    alarmed: bool = False


class Driving:
    """Looks after all unfinished rollouts, as the program itself (`by`).

    Each is driven in a task of its own, so whoever has a gate that takes its time keeps nobody waiting.
    """

    def __init__(self, store: Store, moving: Moving, looking: Looking, clock: Clock, by: Attribution) -> None:
        self._store, self._moving, self._looking = store, moving, looking
        self._clock, self._by = clock, by
        self._watched: dict[UUID, _Watched] = {}
        self._limiter = anyio.CapacityLimiter(_AT_ONCE)

    async def look(self, *, alarmed: bool = False) -> None:
        """Do what is due, to its end.

        Raises:
            UnavailableError: the database is away.
        """
        async with anyio.create_task_group() as group:
            await self.begin(group, alarmed=alarmed)

    async def begin(self, group: TaskGroup, *, alarmed: bool = False) -> None:
        """Begin what is due, each rollout in a task of the group.

        `alarmed`: an application became unhealthy, so gates about that are measured now.

        Raises:
            UnavailableError: the database is away.
        """
        await self._read()
        now_ms = self._now_ms()
        for each in self._watched.values():
            each.alarmed |= alarmed
            if not each.busy and (each.due_ms <= now_ms or each.alarmed):
                each.busy = True
                group.start_soon(self._drive, each)

    def wait(self) -> float | None:
        """In how many seconds something is due next; None while nothing is."""
        due_ms = min((each.due_ms for each in self._watched.values() if not each.busy), default=_NEVER)
        return None if due_ms >= _NEVER else max(0.0, (due_ms - self._now_ms()) / 1_000)

    async def _read(self) -> None:
        """What there is to drive; of what is known already, nothing but that comes over the line."""
        versions = {each.stored.id: each.stored.version for each in self._watched.values()}
        found: dict[UUID, _Watched] = {}
        for each in await self._store.unfinished(MAX_ROLLOUTS, versions):
            known = self._watched.get(each if isinstance(each, UUID) else each.id)
            if isinstance(each, UUID):
                if known is not None:
                    found[each] = known
            elif known is not None and known.busy:
                found[each.id] = known  # its own task reads it again
            else:
                found[each.id] = _Watched(each, rollout_of(each))
        self._watched = found
        self._looking.forget_all_but(found)

    async def _drive(self, watched: _Watched) -> None:
        """Take one rollout as far as it goes now. What goes wrong with it is nothing to the others."""
        watched.alarmed, alarmed = False, watched.alarmed
        which = {"rollout": str(watched.stored.id)}
        watched.due_ms = self._now_ms() + _AGAIN_MS
        try:
            async with self._limiter:
                watched.due_ms = await self._try(watched, alarmed=alarmed)
        except StaleRolloutError:
            watched.due_ms = 0  # the next look reads it anew
        except UnavailableError as error:
            _log.warning("a rollout waits", extra={**which, "error": str(error)})
        except Exception:  # noqa: BLE001 - a bug that one rollout meets must not keep all others waiting
            _log.exception("a rollout cannot be driven", extra=which)
        finally:
            watched.busy = False

    async def _try(self, watched: _Watched, *, alarmed: bool) -> int:
        try:
            return await self._advance(watched, alarmed=alarmed)
        except (StaleRolloutError, UnavailableError):
            raise
        except TrimtabError as error:
            await self._note(watched.stored, error)
            return self._now_ms() + _AGAIN_MS

    async def _advance(self, watched: _Watched, *, alarmed: bool) -> int:
        """Move it as often as it moves; returns when it is to be looked at next."""
        for _ in range(_MOVES):
            rollout, now_ms = watched.rollout, self._now_ms()
            gated = rollout.phase in EXPOSED and bool(rollout.plan.steps[rollout.step].gates)
            seen = await self._looking.at(watched.stored, rollout, now_ms, alarmed=alarmed) if gated else None
            judged, evidence = (None, None) if seen is None else (seen.judgement, seen.evidence)
            moved = machine.advance(rollout, now_ms, judged, evidence)
            if moved is None:
                own = machine.next_ms(rollout)
                return min(_NEVER if own is None else own, _NEVER if seen is None else seen.judgement.due_ms)
            await self._moving.commit(moved, self._by)
            _log.info("a rollout moved", extra={"rollout": str(rollout.id), "action": moved.action})
            watched.stored = await self._store.get(rollout.id)
            watched.rollout = rollout_of(watched.stored)
            if watched.rollout.finished:
                await self._looking.over(watched.rollout)
                return _NEVER
        return self._now_ms()

    async def _note(self, stored: StoredRollout, error: TrimtabError) -> None:
        """Let its history tell why it does not go on. It is tried again after a while."""
        detail = {"error": str(error)}
        if self._looking.is_news(stored, str(error)):
            _log.warning("a rollout does not go on", extra={"rollout": str(stored.id), **detail})
            await self._store.measured(stored, [detail], keep=self._looking.keep)

    def _now_ms(self) -> int:
        return unix_ms(self._clock.now())

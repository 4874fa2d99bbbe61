"""What happens to rollouts by themselves: times come, gates pass or fail, windows close. One replica drives.

Whatever is decided is decided on a rollout as it was read, and carried out only if it still is so: a leader that hangs,
and comes back when another one leads, does no harm. What gates measure is kept in the rollout's history, so another
leader goes on where this one ended.
"""

import logging
from collections.abc import Mapping, Sequence
from uuid import UUID

import anyio

from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import StaleRolloutError, TrimtabError, UnavailableError
from control_plane.domain.rollouts import machine
from control_plane.domain.rollouts.rollout import rollout_of
from control_plane.domain.rollouts.words import Phase
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
_GATED = frozenset({Phase.PROGRESSING, Phase.WAITING})


class Driving:
    """Looks after all unfinished rollouts, as the program itself (`by`)."""

    def __init__(self, store: Store, moving: Moving, looking: Looking, clock: Clock, by: Attribution) -> None:
        self._store, self._moving, self._looking = store, moving, looking
        self._clock, self._by = clock, by
        self._known: dict[UUID, StoredRollout] = {}

    async def look(self, *, alarmed: bool = False) -> float | None:
        """Do what is due; returns in how many seconds something is next, None while nothing will be.

        `alarmed`: an application became unhealthy, so gates about that are measured now.

        Raises:
            UnavailableError: the database is away.
        """
        self._known = await self._unfinished()
        self._looking.forget_all_but(self._known)
        limiter = anyio.CapacityLimiter(_AT_ONCE)
        due: list[int] = []

        async def drive(stored: StoredRollout) -> None:
            async with limiter:
                due.extend(await self._drive(stored, alarmed=alarmed))

        async with anyio.create_task_group() as group:
            for stored in self._known.values():
                group.start_soon(drive, stored)
        return None if not due else max(0.0, (min(due) - self._now_ms()) / 1000)

    async def _unfinished(self) -> dict[UUID, StoredRollout]:
        versions = {each.id: each.version for each in self._known.values()}
        found: dict[UUID, StoredRollout] = {}
        for each in await self._store.unfinished(MAX_ROLLOUTS, versions):
            stored = self._known[each] if isinstance(each, UUID) else each
            found[stored.id] = stored
        return found

    async def _drive(self, stored: StoredRollout, *, alarmed: bool) -> Sequence[int]:
        """Take one rollout as far as it goes now. What goes wrong with it is nothing to the others."""
        try:
            return await self._advance(stored, alarmed=alarmed)
        except StaleRolloutError:
            return [self._now_ms()]
        except UnavailableError as error:
            _log.warning("a rollout waits", extra={"rollout": str(stored.id), "error": str(error)})
        except TrimtabError as error:
            await self._note(stored, error)
        except Exception:  # noqa: BLE001 - a bug that one rollout meets must not keep all others waiting
            _log.exception("a rollout cannot be driven", extra={"rollout": str(stored.id)})
        return []

    async def _advance(self, stored: StoredRollout, *, alarmed: bool) -> Sequence[int]:
        rollout = rollout_of(stored)
        for _ in range(_MOVES):
            now_ms = self._now_ms()
            gated = rollout.phase in _GATED and bool(rollout.plan.steps[rollout.step].gates)
            seen = await self._looking.at(stored, rollout, now_ms, alarmed=alarmed) if gated else None
            judged, evidence = (None, None) if seen is None else (seen.judgement, seen.evidence)
            moved = machine.advance(rollout, now_ms, judged, evidence)
            if moved is None:
                due = machine.next_ms(rollout)
                return [*([] if due is None else [due]), *([] if seen is None else [seen.judgement.due_ms])]
            await self._moving.commit(moved, self._by)
            _log.info("a rollout moved", extra={"rollout": str(stored.id), "action": moved.action})
            stored = await self._store.get(stored.id)
            rollout = rollout_of(stored)
            if rollout.finished:
                await self._looking.over(rollout)
                return []
        return [self._now_ms()]

    async def _note(self, stored: StoredRollout, error: TrimtabError) -> None:
        """Let its history tell why it does not go on. It is tried again at each look."""
        detail: Mapping[str, str] = {"error": str(error)}
        if self._looking.is_news(stored, str(error)):
            _log.warning("a rollout does not go on", extra={"rollout": str(stored.id), **detail})
            await self._store.measured(stored, [detail], keep=self._looking.keep)

    def _now_ms(self) -> int:
        return unix_ms(self._clock.now())

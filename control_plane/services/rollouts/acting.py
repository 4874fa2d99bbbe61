"""What people do with rollouts: create, approve, start, pause, resume, promote, abort."""

from collections.abc import Callable
from typing import Any, TypeAlias
from uuid import UUID

from control_plane.domain.access.role import Role
from control_plane.domain.attribution import Attribution
from control_plane.domain.change import Draft
from control_plane.domain.errors import ForbiddenError, StaleRolloutError, VersionMismatchError
from control_plane.domain.rollouts import machine
from control_plane.domain.rollouts.machine import Moved
from control_plane.domain.rollouts.rollout import Rollout, rollout_of
from control_plane.domain.rollouts.spec import NewRollout, rollout_from
from control_plane.domain.rollouts.words import Phase
from control_plane.ports.gates import Judge
from control_plane.ports.rollouts import Rollouts as Store
from control_plane.services.gates.evidences import Evidences
from control_plane.services.rollouts.driving import Driving
from control_plane.services.rollouts.looking import Looking
from control_plane.services.rollouts.moving import Moving
from shared.runtime.clock import Clock, unix_ms

Decide: TypeAlias = Callable[[Rollout, int], Moved]
"""What an action makes of a rollout at a moment."""

_ATTEMPTS = 5
_APPROVING = "rollouts.approve"


class Acting:
    """Lets people act on rollouts. What exposes or withdraws anything is a change; all of it is attributed."""

    def __init__(self, store: Store, moving: Moving, judge: Judge, clock: Clock) -> None:
        self._store, self._moving, self._judge, self._clock = store, moving, judge, clock

    def driving(self, evidences: Evidences, by: Attribution) -> Driving:
        """What happens to rollouts by themselves."""
        return Driving(self._store, self._moving, Looking(self._store, self._judge, evidences), self._clock, by)

    @property
    def now_ms(self) -> int:
        """This moment."""
        return unix_ms(self._clock.now())

    def planned(self, asked: NewRollout, by: Attribution) -> Rollout:
        """The rollout that somebody asks for, which is not stored.

        Raises:
            InvalidError: something is wrong with it, or its gates can never be measured here.
        """
        return rollout_from(asked, by, self._judge.violations)

    async def create(self, asked: NewRollout, by: Attribution, **more: Any) -> Rollout:
        """Store a rollout that exposes nothing yet; `more` are further fields of the draft that is tried (force).

        Raises:
            InvalidError: something is wrong with it.
            NotFoundError: its application or environment is not registered.
        """
        rollout = self.planned(asked, by)
        await self.rehearse(rollout, by, **more)
        await self._store.store(rollout.transition("created", {"strategy": rollout.strategy}), by)
        return await self.get(rollout.id)

    async def rehearse(self, rollout: Rollout, by: Attribution, **more: Any) -> None:
        """Hold a rollout against everything that its start will be held against, but for approvals and windows.

        Raises:
            TrimtabError: as from `Publishing.commit`.
        """
        await self._moving.publishing.commit(await self.starting(rollout, by, dry_run=True, **more))

    async def starting(self, rollout: Rollout, by: Attribution, **more: Any) -> Draft:
        """The change by which it would start now."""
        return await self._moving.draft(machine.start(rollout, self.now_ms), by, **more)

    async def get(self, rollout_id: UUID) -> Rollout:
        """One rollout.

        Raises:
            NotFoundError: there is none.
        """
        return rollout_of(await self._store.get(rollout_id))

    async def start(self, rollout_id: UUID, by: Attribution, version: int | None = None, **more: Any) -> Rollout:
        """Expose the candidate; `more` are further fields of the draft (force, break_glass, …).

        Raises:
            IllegalActionError: it is past that.
            TrimtabError: as from `Publishing.commit`.
        """
        more = {"acting_role": by.role} | more
        return await self._act(rollout_id, version, by, machine.start, **more)

    async def pause(self, rollout_id: UUID, by: Attribution, reason: str, version: int | None = None) -> Rollout:
        """Stop its clock."""
        return await self._act(rollout_id, version, by, lambda found, now: machine.pause(found, now, reason))

    async def resume(self, rollout_id: UUID, by: Attribution, reason: str, version: int | None = None) -> Rollout:
        """Let its clock go on."""
        return await self._act(rollout_id, version, by, lambda found, now: machine.resume(found, now, reason))

    async def promote(
        self, rollout_id: UUID, by: Attribution, reason: str, version: int | None = None, *, full: bool = False
    ) -> Rollout:
        """Go on past the gates of its step."""
        return await self._act(
            rollout_id, version, by, lambda found, now: machine.promote(found, now, reason, full=full)
        )

    async def abort(self, rollout_id: UUID, by: Attribution, reason: str, version: int | None = None) -> Rollout:
        """Withdraw the candidate."""
        return await self._act(rollout_id, version, by, lambda found, _now: machine.abort(found, reason))

    async def approve(self, rollout_id: UUID, by: Attribution, version: int | None = None) -> Rollout:
        """Say yes: before the start to all of it, later to its present step.

        Raises:
            ForbiddenError: nobody approves what they wrote.
        """
        found = await self._read(rollout_id, version)
        if by.principal == found.author:
            msg = "Nobody approves a rollout that they wrote: let somebody else do it."
            raise ForbiddenError(_APPROVING, msg)
        return await self._act(
            rollout_id, version, by, lambda found, _now: machine.approve(found, by.principal, Role(by.role))
        )

    async def _act(
        self, rollout_id: UUID, version: int | None, by: Attribution, decide: Decide, **more: Any
    ) -> Rollout:
        for attempt in range(_ATTEMPTS):
            before = await self._read(rollout_id, version)
            moved = decide(before, self.now_ms)
            try:
                await self._carry_out(before, moved, by, **more)
            except StaleRolloutError:
                if attempt + 1 == _ATTEMPTS:
                    raise
            else:
                break
        return await self.get(rollout_id)

    async def _carry_out(self, before: Rollout, moved: Moved, by: Attribution, **more: Any) -> None:
        """What alters no exposure is stored, all else is a change."""
        if moved.rollout == before:
            return
        if moved.action == "approved" or (before.phase is Phase.PENDING and moved.rollout.finished):
            await self._store.store(moved.rollout.transition(moved.action, moved.detail), by)
        else:
            await self._moving.commit(moved, by, **more)

    async def _read(self, rollout_id: UUID, version: int | None) -> Rollout:
        found = await self.get(rollout_id)
        if version is not None and version != found.version:
            raise VersionMismatchError(version, found.version)
        return found

"""Where rollouts are kept, what happened to them, and plans with a name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from control_plane.domain.attribution import Attribution
from control_plane.domain.transition import RolloutEvent, StoredRollout, Template, Transition
from control_plane.ports.pages import Page
from shared.domain.codec import Json
from shared.domain.scope import Scope


@dataclass(frozen=True, slots=True)
class RolloutFilter:
    """Which rollouts: each field that is given narrows. `scope` is that scope alone, `app_id` all scopes of it."""

    app_id: str | None = None
    scope: Scope | None = None
    key: str | None = None
    phases: tuple[str, ...] = ()
    strategy: str | None = None


class Rollouts(Protocol):
    """Rollouts. What exposes anything is a change, and is written by `Changes.commit` with the draft's transition."""

    async def store(self, transition: Transition, by: Attribution) -> None:
        """Store what happens to a rollout without any change: it is created, approved, ends before it began.

        Raises:
            StaleRolloutError: something else happened to it since it was read.
        """
        ...

    async def get(self, rollout_id: UUID) -> StoredRollout:
        """One rollout.

        Raises:
            NotFoundError: there is none.
        """
        ...

    async def list(self, where: RolloutFilter, *, limit: int, cursor: str | None) -> Page[StoredRollout]:
        """Rollouts, newest first, without what can be long of them: candidates, audiences, plans as they were asked for."""
        ...

    async def unfinished(self, limit: int, known: Mapping[UUID, int] | None = None) -> Sequence[StoredRollout | UUID]:
        """Those that are neither completed nor aborted, oldest first; of a `known` version, only their ids."""
        ...

    async def events(self, rollout_id: UUID, *, limit: int, cursor: str | None) -> Page[RolloutEvent]:
        """What happened to a rollout, newest first."""
        ...

    async def measured(self, rollout: StoredRollout, measurements: Sequence[Mapping[str, Json]], keep: int) -> None:
        """Add measurements of gates to its history, of which the newest `keep` stay."""
        ...


class Templates(Protocol):
    """Plans with a name."""

    async def put(
        self, template: str, description: str, document: Mapping[str, Json], by: Attribution, expected: int | None
    ) -> Template:
        """Keep a plan under a name (`expected` 0: a new one; None: whatever is there).

        Raises:
            VersionMismatchError: it is not of the version that was read.
            InvalidError: there are too many.
        """
        ...

    async def get(self, template: str) -> Template:
        """One plan.

        Raises:
            NotFoundError: there is none of this name.
        """
        ...

    async def list(self, *, limit: int, cursor: str | None) -> Page[Template]:
        """Plans by name."""
        ...

    async def delete(self, template: str, by: Attribution, expected: int | None = None) -> None:
        """Forget a plan (`expected` None: whatever is there).

        Raises:
            NotFoundError: there is none of this name.
            VersionMismatchError: it is not of the version that was read.
        """
        ...

"""What stood where, and moments that have a name."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from control_plane.domain.attribution import Attribution
from control_plane.domain.history import PastEntry
from control_plane.domain.named_snapshot import NamedSnapshot
from control_plane.ports.pages import Page
from shared.domain.scope import Scope


@dataclass(frozen=True, slots=True)
class Moment:
    """What the installation is at (`now`), and was at the moment asked for (`then`); `ahead`: that is in the future."""

    now: int
    then: int | None
    ahead: bool


class History(Protocol):
    """What stood where at any revision. Entries come with their sensitive values: they are for services, not answers."""

    async def moment(self, at: datetime | None = None) -> Moment:
        """What the installation is at, and was at a moment."""
        ...

    async def keys(self, scopes: Collection[Scope], *, prefix: str, after: str, limit: int) -> list[str]:
        """Keys that ever stood in one of the scopes, in their order: those that follow `after` and begin with `prefix`."""
        ...

    async def entries(self, scopes: Collection[Scope], keys: Sequence[str], revision: int) -> list[PastEntry]:
        """What stood in the scopes under these keys at a revision, deleted entries too."""
        ...

    async def entries_of(self, configs: Collection[UUID], revision: int) -> dict[UUID, PastEntry]:
        """These configs as they stood at a revision; one that had no version then is left out."""
        ...

    async def version(self, config_id: UUID, version: int) -> PastEntry:
        """One version of a config.

        Raises:
            NotFoundError: there is no such config, or it has no such version.
        """
        ...


class NamedSnapshots(Protocol):
    """Revisions with names. What is named and what is forgotten is attributed and audited."""

    async def create(
        self, name: str, revision: int | None, at: datetime | None, description: str, by: Attribution
    ) -> NamedSnapshot:
        """Name a revision, the last one at an instant, or the latest.

        Raises:
            ConflictError: the name is taken.
            NotFoundError: there is no such revision.
        """
        ...

    async def get(self, name: str) -> NamedSnapshot:
        """One by its name.

        Raises:
            NotFoundError: there is none.
        """
        ...

    async def list(self, *, limit: int, cursor: str | None) -> Page[NamedSnapshot]:
        """By name."""
        ...

    async def delete(self, name: str, by: Attribution) -> None:
        """Forget a name. The revision stays.

        Raises:
            NotFoundError: there is none.
        """
        ...

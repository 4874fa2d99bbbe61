"""Named snapshots: revisions with names."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, model_validator

from control_plane.api.bodies.fields import Body, Moment, Revision, SnapshotName, Text
from control_plane.domain.named_snapshot import NamedSnapshot


class NewNamedSnapshot(Body):
    """A revision to name: the given one, the last one at an instant, or the latest."""

    name: SnapshotName
    """Its name: a letter first, then letters, digits, '_', '.' and '-'."""
    revision: Revision | None = None
    """Which revision."""
    at: Annotated[Moment | None, Field(examples=["2026-11-01T00:00:00Z"])] = None
    """The instant whose last revision is meant."""
    description: Text = ""
    """For people."""

    @model_validator(mode="after")
    def _one_moment(self) -> Self:
        if self.revision is not None and self.at is not None:
            msg = "give revision or at, not both"
            raise ValueError(msg)
        return self


@dataclass(frozen=True, slots=True)
class NamedSnapshotView:
    """A named revision. `committed_at` is null for revision 0, which is before all changes."""

    name: str
    revision: int
    committed_at: datetime | None
    description: str
    created_at: datetime
    created_by: str

    @classmethod
    def of(cls, snapshot: NamedSnapshot) -> Self:
        """Show a named snapshot."""
        return cls(
            name=snapshot.name,
            revision=snapshot.revision,
            committed_at=snapshot.committed_at,
            description=snapshot.description,
            created_at=snapshot.created_at,
            created_by=snapshot.created_by,
        )

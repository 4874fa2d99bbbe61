"""Undoing, restoring and promoting: requests whose operations are computed."""

from typing import Annotated, Literal

from pydantic import Field

from control_plane.api.bodies.changes import MAX_VERSION
from control_plane.api.bodies.fields import Body, Key, Moment, Name, Revision, SnapshotName
from control_plane.api.bodies.intent import Intent
from control_plane.api.bodies.pages import Param
from control_plane.domain.history import When
from control_plane.services.restoring import RestoreMode


class Rollback(Intent):
    """Which version of the config to put back."""

    version: Annotated[int, Field(ge=1, le=MAX_VERSION)]
    """The version whose value, mask or absence is to stand again."""


class Revert(Intent):
    """How to revert a change."""

    keys: Literal["all", "skip_moved"] = "all"
    """All of its keys, or those alone that nobody changed since."""


class Restore(Intent):
    """The moment to go back to: `revision`, `at` or `snapshot`."""

    revision: Revision | None = None
    """As it was at this revision."""
    at: Moment | None = None
    """As it was at this instant."""
    snapshot: SnapshotName | None = None
    """As it was at the revision of this named snapshot."""
    extent: Literal["effective", "scope"] = "effective"
    """Restore what the environment gets, or only the entries of its own scope."""
    prefix: Param = ""
    """Restore only keys that begin like this."""


class PromotionSource(Body):
    """The environment whose values are taken, now or as they were."""

    app_id: Name
    environment: Name
    revision: Revision | None = None
    """As they were at this revision."""
    at: Moment | None = None
    """As they were at this instant."""
    snapshot: SnapshotName | None = None
    """As they were at the revision of this named snapshot."""


class PromotionTarget(Body):
    """The environment whose own scope the values are put into."""

    app_id: Name
    environment: Name


class Promotion(Intent):
    """Which keys' effective values to carry over, and between which environments."""

    from_: Annotated[PromotionSource, Field(alias="from")]
    """Where they come from."""
    to: PromotionTarget
    """Where they go."""
    keys: Annotated[list[Key], Field(min_length=1, max_length=10_000)]
    """Which keys."""

    @property
    def when(self) -> When:
        """The moment at which the source is looked at."""
        return When(self.from_.revision, self.from_.at, self.from_.snapshot)


def restore_mode(body: Restore) -> RestoreMode:
    """The mode as the service knows it."""
    return RestoreMode(body.extent)

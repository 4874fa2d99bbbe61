"""Snapshots: what an agent asks for and gets."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from control_plane.api.bodies.fields import MAX_REVISION, Query, Revision
from shared.domain.entry import Kind
from shared.domain.scope import Level, Revisions


def _three(text: str) -> str:
    parts = text.split(",")
    if len(parts) != len(Level) or any(not (each.isascii() and each.isdecimal()) for each in parts):
        msg = "three revisions as in 7,0,12: of the global, app and environment scope"
        raise ValueError(msg)
    if any(len(each) > len(str(MAX_REVISION)) or int(each) > MAX_REVISION for each in parts):
        msg = "a revision has 64 bits"
        raise ValueError(msg)
    return text


_Since = Annotated[str, AfterValidator(_three), Field(json_schema_extra={"pattern": "^[0-9]+,[0-9]+,[0-9]+$"})]


class SnapshotQuery(Query):
    """What the caller has already."""

    since: _Since | None = None
    """The revisions of the three scopes that it has; the answer may then be only what changed since."""
    at_least: Revision = 0
    """A revision that it knows to be committed: the answer is not older."""

    @property
    def revisions(self) -> Revisions | None:
        """`since` in numbers."""
        return None if self.since is None else Revisions(*map(int, self.since.split(",")))


@dataclass(frozen=True, slots=True)
class SnapshotEntry:
    """One entry of a snapshot; with `deleted`, one that is there no more.

    `rollout` is the exposure of a candidate over it, by which agents decide who gets that; left out while there is none.
    """

    level: Level
    key: str
    version: int
    revision: int
    kind: Kind | None = None
    value: Any = None
    sensitive: bool = False
    deleted: bool = False
    rollout: Any = None


@dataclass(frozen=True, slots=True)
class SnapshotView:
    """What an app/environment sees (`full`), or what changed in it since the revisions that were asked for."""

    schema: int
    app_id: str
    environment: str
    revision: int
    revisions: dict[Level, int]
    digests: dict[Level, str]
    full: bool
    stale: bool
    entries: tuple[SnapshotEntry, ...]

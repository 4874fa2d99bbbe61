"""Configs: one entry with its versions, and what an app/environment gets of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field

from control_plane.api.bodies.contents import Contents, NewContents, contents, exposure
from control_plane.api.bodies.context import Context
from control_plane.api.bodies.fields import (
    Body,
    Key,
    Labels,
    Moment,
    Name,
    Owner,
    Placed,
    Query,
    Revision,
    SnapshotName,
    Text,
)
from control_plane.api.bodies.intent import Force
from control_plane.api.bodies.pages import LabelFilters, PageQuery, Param
from control_plane.api.bodies.preview import PreviewView
from control_plane.domain.change import Committed, Config, ConfigVersion, Op
from control_plane.domain.history import When
from shared.domain.codec import Json, fragment
from shared.domain.entry import Kind
from shared.domain.resolution import Arm, ErrorCode, Reason, Resolution
from shared.domain.scope import Level


class NewConfig(Placed, NewContents):
    """A config to create in a scope."""

    key: Key
    """Its key: unique in its scope."""
    sensitive: bool = False
    """Whether the value is a secret: it is then shown to nobody but the agents that it is for."""
    description: Text = ""
    """For people."""
    owner: Owner = ""
    """Who answers for it."""
    labels: Labels = Field(default_factory=dict)
    """Short texts by name, to find it again."""
    message: Text = ""
    """Why, for the record of changes."""
    dry_run: bool = False
    """Check everything and tell what would be, without doing it."""
    force: Force | None = None
    """Let the change pass although guards refuse it."""


class ConfigUpdate(Contents):
    """A config's new value, flag or segment, or what people say about it. What is left out stays as it is.

    What is put on a mask takes the mask away.
    """

    sensitive: bool | None = None
    """Whether the value is a secret. One that was is shown only if it is given again."""
    description: Text | None = None
    """For people."""
    owner: Owner | None = None
    """Who answers for it."""
    labels: Labels | None = None
    """Short texts by name; they take the place of those that it has."""
    message: Text = ""
    """Why, for the record of changes."""
    dry_run: bool = False
    """Check everything and tell what would be, without doing it."""
    force: Force | None = None
    """Let the change pass although guards refuse it."""


class ConfigQuery(PageQuery):
    """Which configs; every parameter narrows."""

    app_id: Name | None = None
    """Of this application."""
    environment: Name | None = None
    """Of environments of this name."""
    scope: Literal["global", "app", "environment"] | None = None
    """Standing at this level."""
    kind: Kind | None = None
    """Of this kind."""
    prefix: Param | None = None
    """Whose key begins like this."""
    text: Param | None = None
    """Whose key, value or description contains this."""
    owner: Param | None = None
    """Of whom it is."""
    label: LabelFilters = ()
    """That has this label: `name`, or `name:value`. Given several times: all of them."""
    include_deleted: bool = False
    """Whether to list deleted ones as well."""
    include_archived: bool = False
    """Whether to list those of archived applications and environments as well."""


class DeleteQuery(Query):
    """What to say about a deletion."""

    message: Text = ""
    """Why, for the record of changes."""
    dry_run: bool = False
    """Check everything and tell what would be, without doing it."""
    force: Annotated[Text, Field(min_length=1)] | None = None
    """Why to let the deletion pass although guards refuse it."""


class Fetch(Body):
    """Which app/environment's effective configs to fetch."""

    app_id: Name
    environment: Name
    keys: Annotated[list[Key] | None, Field(max_length=10_000)] = None
    """Only these; everything where it is left out."""
    revision: Revision | None = None
    """As it was at this revision."""
    at: Moment | None = None
    """As it was at this instant."""
    snapshot: SnapshotName | None = None
    """As it was at the revision of this named snapshot."""
    context: Context | None = None
    """Who asks: the evaluation context for which to resolve."""

    @property
    def when(self) -> When:
        """The moment that is meant."""
        return When(self.revision, self.at, self.snapshot)


@dataclass(frozen=True, slots=True)
class ConfigView:
    """A config. What it holds stands under `value`, `flag` or `segment`, as its `kind` is; the others are null.

    All are null for a mask and for a secret (`sensitive`). `rollout` is the exposure of a candidate over it, if there is
    one, with the `weight` that it has now; the candidate of a secret is null.
    """

    id: UUID
    app_id: str | None
    environment: str | None
    scope: Level
    key: str
    kind: str
    value: Any
    flag: Any
    segment: Any
    rollout: Any
    sensitive: bool
    description: str
    owner: str
    labels: Mapping[str, str]
    version: int
    revision: int
    deleted: bool
    updated_at: datetime
    updated_by: str

    @classmethod
    def of(cls, config: Config, now_ms: int) -> Self:
        """Show a config as it is now."""
        return cls(
            id=config.id,
            app_id=config.scope.app_id,
            environment=config.scope.environment,
            scope=config.scope.level,
            key=config.key,
            kind=config.kind,
            **contents(config.kind, config.value, sensitive=config.sensitive),
            rollout=exposure(config.rollout, sensitive=config.sensitive, now_ms=now_ms),
            sensitive=config.sensitive,
            description=config.description,
            owner=config.owner,
            labels=config.labels,
            version=config.version,
            revision=config.revision,
            deleted=config.deleted,
            updated_at=config.updated_at,
            updated_by=config.updated_by,
        )


@dataclass(frozen=True, slots=True)
class ConfigReceipt:
    """What became of a config, and the revision of the change that did it; with `dry_run` what it would have been."""

    id: UUID
    app_id: str | None
    environment: str | None
    scope: Level
    key: str
    op: Op
    version: int
    revision: int
    committed_at: datetime
    dry_run: bool
    preview: PreviewView | None

    @classmethod
    def of(cls, committed: Committed, preview: PreviewView | None = None) -> Self:
        """Show what a change did to one config."""
        (applied,) = committed.applied
        return cls(
            id=applied.id,
            app_id=applied.scope.app_id,
            environment=applied.scope.environment,
            scope=applied.scope.level,
            key=applied.key,
            op=applied.op,
            version=applied.version,
            revision=committed.revision,
            committed_at=committed.committed_at,
            dry_run=committed.dry_run,
            preview=preview,
        )


@dataclass(frozen=True, slots=True)
class ConfigVersionView:
    """One version of a config, with the change that made it. What was put stands under `value`, `flag` or `segment`.

    All three are null where nothing or a secret was put. `rollout` is the exposure of a candidate over it, if any.
    """

    version: int
    revision: int
    op: Op
    kind: str
    value: Any
    flag: Any
    segment: Any
    rollout: Any
    sensitive: bool
    author: str
    message: str
    committed_at: datetime

    @classmethod
    def of(cls, version: ConfigVersion) -> Self:
        """Show a version."""
        return cls(
            version=version.version,
            revision=version.revision,
            op=version.op,
            kind=version.kind,
            **contents(version.kind, version.value, sensitive=version.sensitive),
            rollout=exposure(version.rollout, sensitive=version.sensitive),
            sensitive=version.sensitive,
            author=version.author,
            message=version.message,
            committed_at=version.committed_at,
        )


@dataclass(frozen=True, slots=True)
class EffectiveConfig:
    """What an app/environment gets for a key, and from where. `value` is null for a secret (`sensitive`).

    `rollout` and `arm` say which rollout decided, and for which side; `error` what was missing to decide it fully.
    """

    value: Any
    sensitive: bool
    scope: Level
    version: int
    revision: int
    reason: Reason
    variant: str | None
    error: ErrorCode | None
    rollout: str | None
    arm: Arm | None

    @classmethod
    def of(cls, resolution: Resolution) -> Self:
        """Show a resolution, and the entry that it comes from."""
        effective, entry = resolution.effective, resolution.effective.entry
        return cls(
            shown(resolution.value, sensitive=entry.sensitive),
            entry.sensitive,
            effective.level,
            entry.version,
            entry.revision,
            resolution.reason,
            resolution.variant,
            resolution.error,
            resolution.rollout,
            resolution.arm,
        )


@dataclass(frozen=True, slots=True)
class EffectiveConfigs:
    """What an app/environment gets at a revision. `stale`: the database is away, so it may be behind.

    `missing` names the keys that were asked for and that it does not see.
    """

    app_id: str
    environment: str
    revision: int
    stale: bool
    configs: dict[str, EffectiveConfig]
    missing: tuple[str, ...]


def shown(value: bytes, *, sensitive: bool) -> Json:
    """A value for everybody's eyes: no secrets."""
    return fragment(value) if value and not sensitive else None

"""Looking back: what was effective, how versions differ, how two environments differ."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Self, TypeAlias
from uuid import UUID

from pydantic import AfterValidator, Field

from control_plane.api.bodies.configs import ConfigVersionView
from control_plane.api.bodies.contents import contents, exposure
from control_plane.api.bodies.fields import MAX_REVISION, Moment, Query, Revision, SnapshotName
from control_plane.api.bodies.pages import PageQuery, Param
from control_plane.domain.difference import Deed, Difference, Line, difference, readable
from control_plane.domain.history import PastEntry, When, same_entry, same_exposure
from control_plane.domain.named_snapshot import is_snapshot_name
from control_plane.services.comparing import Pair, Side
from shared.domain.scope import Level, Scope, is_name

LINES_IN_LISTS = 20
"""Readable lines for each key of a comparison; the difference of two versions has them all."""


class DifferenceQuery(Query):
    """Which versions to compare."""

    from_: Annotated[int | None, Field(alias="from", ge=0, le=MAX_REVISION)] = None
    """The earlier one; 0: before there was any. By default the one before `to`."""
    to: Annotated[int | None, Field(ge=0, le=MAX_REVISION)] = None
    """The later one; by default the current one."""


class EffectiveQuery(PageQuery):
    """Which moment, and which keys. Without a moment it is now; following pages stay at the moment of the first."""

    revision: Revision | None = None
    """At this revision."""
    at: Moment | None = None
    """At this instant, as in 2030-01-31T03:12:00Z."""
    snapshot: SnapshotName | None = None
    """At the revision of this named snapshot."""
    prefix: Param = ""
    """Whose key begins like this."""


def side(text: str) -> str:
    """Refuse what is no side of a comparison."""
    read_side(text)
    return text


def read_side(text: str) -> Side:
    """Read `billing/prod`, `global`, `app.billing` or `env.billing.prod`, each with `@` and a moment if wanted.

    Raises:
        ValueError: it is none of these.
    """
    place, _, moment = text.partition("@")
    app_id, slash, environment = place.partition("/")
    when = _when(moment) if moment else When()
    if not slash:
        return Side(Scope.parse(place), when, alone=True)
    if not (is_name(app_id) and is_name(environment)):
        msg = f"{place!r} is not an application and an environment: billing/prod"
        raise ValueError(msg)
    return Side(Scope(app_id, environment), when)


def _when(text: str) -> When:
    if text.isascii() and text.isdecimal():
        if len(text) > len(str(MAX_REVISION)) or int(text) > MAX_REVISION:
            msg = "a revision has 64 bits"
            raise ValueError(msg)
        return When(revision=int(text))
    if is_snapshot_name(text):
        return When(snapshot=text)
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        msg = "an instant has a time zone, as in 2030-01-31T03:12:00Z"
        raise ValueError(msg)
    return When(at=at)


_Side: TypeAlias = Annotated[str, AfterValidator(side), Field(max_length=200, examples=["billing/prod@17"])]


class CompareQuery(PageQuery):
    """What to compare.

    A side is `billing/prod` (all that it sees), or one scope alone: `global`, `app.billing`, `env.billing.prod`. With
    `@17`, `@2030-01-31T03:12:00Z` or `@before-sale` after it, it is looked at as it was at that revision or instant, or
    at the named snapshot's revision.
    """

    left: _Side
    """The one side."""
    right: _Side
    """The other side."""
    prefix: Param = ""
    """Keys that begin like this."""
    all: bool = False
    """Whether to list keys that do not differ as well."""


@dataclass(frozen=True, slots=True)
class LineView:
    """One place inside a value (`path`, a JSON Pointer), what stood there and what stands there instead."""

    path: str
    op: Deed
    before: Any
    after: Any

    @classmethod
    def of(cls, line: Line) -> Self:
        """Show a line."""
        return cls(line.path, line.deed, line.before, line.after)


@dataclass(frozen=True, slots=True)
class DifferenceView:
    """How one version of a config differs from another; null where there was none yet.

    `patch` (RFC 6902) makes the one value of the other; a version without a value counts as nothing, to and from which
    `remove` and `add` of the whole (path "") lead. Of a secret only `differs` is told: `patch` and `readable` are
    null. `truncated`: there are more readable lines than these.
    """

    id: UUID
    before: ConfigVersionView | None
    after: ConfigVersionView | None
    differs: bool
    sensitive: bool
    patch: tuple[Any, ...] | None
    readable: tuple[LineView, ...] | None
    truncated: bool

    @classmethod
    def of(cls, config_id: UUID, before: PastEntry | None, after: PastEntry | None) -> Self:
        """Show the difference of two versions."""
        sensitive = _is_secret(before, after)
        found = Difference((), ()) if sensitive else difference(_value(before), _value(after))
        return cls(
            id=config_id,
            before=None if before is None else version_view(before),
            after=None if after is None else version_view(after),
            differs=not (same_entry(before, after) and same_exposure(before, after)),
            sensitive=sensitive,
            patch=None if sensitive else found.patch,
            readable=None if sensitive else tuple(map(LineView.of, found.lines)),
            truncated=found.truncated,
        )


def version_view(entry: PastEntry) -> ConfigVersionView:
    """One version of a config, its value shown unless it is a secret."""
    return ConfigVersionView(
        version=entry.version,
        revision=entry.revision,
        op=entry.op,
        kind=entry.kind,
        **contents(entry.kind, entry.value, sensitive=entry.sensitive),
        rollout=exposure(entry.rollout, sensitive=entry.sensitive),
        sensitive=entry.sensitive,
        author=entry.author,
        message=entry.message,
        committed_at=entry.committed_at,
    )


@dataclass(frozen=True, slots=True)
class OriginView:
    """An entry and where it came from. What it holds stands under `value`, `flag` or `segment`, as its `kind` is.

    All three are null for a mask and for a secret (`sensitive`). `rollout` is the exposure of a candidate over it, if any.

    `revision` is that of the change which left it so; `author`, `message` and `committed_at` are that change's.
    """

    kind: str
    value: Any
    flag: Any
    segment: Any
    rollout: Any
    sensitive: bool
    scope: Level
    app_id: str | None
    environment: str | None
    config_id: UUID
    version: int
    revision: int
    author: str
    message: str
    committed_at: datetime

    @classmethod
    def of(cls, entry: PastEntry) -> Self:
        """Show an entry with its origin."""
        return cls(
            kind=entry.kind,
            **contents(entry.kind, entry.value, sensitive=entry.sensitive),
            rollout=exposure(entry.rollout, sensitive=entry.sensitive),
            sensitive=entry.sensitive,
            scope=entry.scope.level,
            app_id=entry.scope.app_id,
            environment=entry.scope.environment,
            config_id=entry.config_id,
            version=entry.version,
            revision=entry.revision,
            author=entry.author,
            message=entry.message,
            committed_at=entry.committed_at,
        )


@dataclass(frozen=True, slots=True)
class PastConfig:
    """What was effective for a key, and where it came from."""

    key: str
    origin: OriginView

    @classmethod
    def of(cls, entry: PastEntry) -> Self:
        """Show an effective entry."""
        return cls(entry.key, OriginView.of(entry))


@dataclass(frozen=True, slots=True)
class PastConfigs:
    """What was effective in an app/environment at a revision, a page of it by key."""

    app_id: str
    environment: str
    revision: int
    items: tuple[PastConfig, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class PairView:
    """What both sides have for a key; null: nothing. Of secrets only `differs` is told, `readable` is null then.

    `truncated`: there are more readable lines than these.
    """

    key: str
    differs: bool
    sensitive: bool
    left: OriginView | None
    right: OriginView | None
    readable: tuple[LineView, ...] | None
    truncated: bool

    @classmethod
    def of(cls, pair: Pair) -> Self:
        """Show a pair."""
        lines, truncated = (
            ((), False) if pair.sensitive else readable(_value(pair.left), _value(pair.right), LINES_IN_LISTS)
        )
        return cls(
            key=pair.key,
            differs=pair.differs,
            sensitive=pair.sensitive,
            left=None if pair.left is None else OriginView.of(pair.left),
            right=None if pair.right is None else OriginView.of(pair.right),
            readable=None if pair.sensitive else tuple(map(LineView.of, lines)),
            truncated=truncated,
        )


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """A page of a comparison, by key, of the two revisions. A page may be short and yet have a `next_cursor`."""

    left_revision: int
    right_revision: int
    items: tuple[PairView, ...]
    next_cursor: str | None


def _is_secret(*entries: PastEntry | None) -> bool:
    return any(each is not None and each.sensitive for each in entries)


def _value(entry: PastEntry | None) -> bytes:
    return b"" if entry is None else entry.value

"""What applications read, as their agents count it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Self

from pydantic import Field

from control_plane.api.bodies.fields import Name
from control_plane.api.bodies.pages import PageQuery
from control_plane.services.usage import NAMED_AGENTS, Coverage, KeyUse
from shared.domain.scope import Level

MAX_DAYS = 3_650


class UnusedQuery(PageQuery):
    """Where to look for configs that nobody reads."""

    app_id: Name
    """In this application."""
    environment: Name | None = None
    """In this environment; without it in all that are not archived."""
    days: Annotated[int, Field(ge=1, le=MAX_DAYS)] = 30
    """For how long nobody has read them."""


@dataclass(frozen=True, slots=True)
class CoverageView:
    """How much the counts of an app/environment tell.

    They began at `counting_since`; null: nothing was counted yet, or all of it was lost. `bulk_reads` took many configs
    at once, and count as a read of none of them. `agents_without_counts` do not count, so nothing is known of what their
    applications read; `named` are some of them. `complete` is whether counting covers the whole time that was asked for
    and neither bulk reads nor such agents stand against it.
    """

    app_id: str
    environment: str
    counting_since: datetime | None
    bulk_reads: int
    last_bulk_read_at: datetime | None
    live_agents: int
    agents_without_counts: int
    named: tuple[str, ...]
    complete: bool

    @classmethod
    def of(cls, coverage: Coverage, needed_since: datetime | None = None) -> Self:
        """Show it; `needed_since` is the beginning of the time that was asked for."""
        since, bulk_at = coverage.since, coverage.last_bulk_at
        began = since is not None and (needed_since is None or since <= needed_since)
        bulk = bulk_at is not None and (needed_since is None or bulk_at >= needed_since)
        return cls(
            app_id=coverage.app_id,
            environment=coverage.environment,
            counting_since=since,
            bulk_reads=coverage.bulk,
            last_bulk_read_at=bulk_at,
            live_agents=coverage.live,
            agents_without_counts=len(coverage.silent),
            named=coverage.silent[:NAMED_AGENTS],
            complete=began and not bulk and not coverage.silent,
        )


@dataclass(frozen=True, slots=True)
class KeyUseView:
    """An effective config, where it comes from, and how often it was read; `last_read_at` null: not since counting."""

    app_id: str
    environment: str
    key: str
    scope: Level
    version: int
    revision: int
    reads: int
    last_read_at: datetime | None

    @classmethod
    def of(cls, use: KeyUse) -> Self:
        """Show it."""
        level, entry = use.effective.level, use.effective.entry
        return cls(
            use.app_id,
            use.environment,
            use.key,
            level,
            entry.version,
            entry.revision,
            use.reads,
            use.last_read_at,
        )


@dataclass(frozen=True, slots=True)
class ReadsView:
    """What an app/environment gets, each config with how often it was read."""

    coverage: CoverageView
    items: tuple[KeyUseView, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class UnusedView:
    """What nobody read, and how far that is known. `environments` says the latter for each that was looked at."""

    days: int
    environments: tuple[CoverageView, ...]
    items: tuple[KeyUseView, ...]
    next_cursor: str | None

"""Which configs applications read, as their agents count it, and which nobody does.

Reports come often and name the same keys again and again, so each replica adds them up in memory first and hands the sums
to the counters every few seconds. What is not handed over yet dies with the replica; nothing but statistics does.
"""

import logging
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from control_plane.domain.errors import UnavailableError
from control_plane.ports.lossy import AgentPresence, Counted, ReadCounters
from control_plane.services.fleet import Fleet
from control_plane.services.snapshots import Snapshots
from shared.domain.entry import Kind
from shared.domain.resolution import Effective
from shared.runtime.clock import Clock
from shared.wire.report import Report

HAND_OVER_EVERY = 5.0
"""Seconds for which a replica keeps what an app/environment's agents have counted."""
NAMED_AGENTS = 10

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Sum:
    """What was reported of one app/environment and not handed over yet."""

    since: float
    keys: Counter[str] = field(default_factory=Counter)
    bulk: int = 0


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much what was counted of an app/environment can be relied on.

    `since` is when counting began, None where nothing is known. `silent` are live agents that do not count: of what
    their applications read nothing is known. `bulk` are reads of many configs at once, of which the same is true.
    """

    app_id: str
    environment: str
    since: datetime | None
    bulk: int
    last_bulk_at: datetime | None
    live: int
    silent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeyUse:
    """An effective config of an app/environment and how often it was read; `last_read_at` None: never."""

    app_id: str
    environment: str
    key: str
    effective: Effective
    reads: int
    last_read_at: datetime | None


class Usage:
    """Takes counts in, and says what was read."""

    def __init__(self, counters: ReadCounters, fleet: Fleet, snapshots: Snapshots, clock: Clock) -> None:
        self._counters, self._fleet, self._snapshots, self._clock = counters, fleet, snapshots, clock
        self._sums: dict[tuple[str, str], _Sum] = {}

    async def record(self, report: Report) -> None:
        """Add up what an agent has counted. Never raises: what cannot be kept now is kept later, or lost."""
        if report.reads is None:
            return
        pair = (report.app_id, report.environment)
        total = self._sums.setdefault(pair, _Sum(self._clock.monotonic()))
        total.keys.update(report.reads.keys)
        total.bulk += report.reads.bulk
        if self._clock.monotonic() - total.since >= HAND_OVER_EVERY:
            try:
                await self._hand_over(pair)
            except UnavailableError as error:
                _log.debug("reads are not counted now", extra={"error": str(error)})

    async def reads(self, app_id: str, environment: str) -> tuple[Coverage, list[KeyUse]]:
        """What an app/environment gets, each config with how often it was read.

        Raises:
            NotFoundError: the application or the environment is not registered.
            UnavailableError: the place where counts or reports are kept is away, or the database.
        """
        effective = await self._snapshots.effective(app_id, environment)
        await self._hand_over((app_id, environment))
        counted = await self._counters.of(app_id, environment)
        agents = await self._fleet.agents(app_id, environment)
        uses = list(_uses(app_id, environment, effective.configs, counted))
        return _coverage(app_id, environment, counted, agents), uses

    async def unused(
        self, app_id: str, environments: Collection[str], days: int
    ) -> tuple[list[Coverage], list[KeyUse]]:
        """What was read by nobody for so many days, or since counting began, in some environments of an application."""
        limit = self._clock.now() - timedelta(days=days)
        coverages: list[Coverage] = []
        unused: list[KeyUse] = []
        for environment in environments:
            coverage, uses = await self.reads(app_id, environment)
            coverages.append(coverage)
            unused += [each for each in uses if each.last_read_at is None or each.last_read_at < limit]
        return coverages, unused

    async def _hand_over(self, pair: tuple[str, str]) -> None:
        """Give the counters what was added up, as far as there is such a config: agents may name anything."""
        total = self._sums.pop(pair, None)
        if total is None:
            return
        try:
            known = (await self._snapshots.effective(*pair)).configs
            keys = {key: reads for key, reads in total.keys.items() if key in known}
            await self._counters.add(*pair, keys, total.bulk, self._clock.now())
        except UnavailableError:
            self._keep(pair, total)
            raise

    def _keep(self, pair: tuple[str, str], total: _Sum) -> None:
        """Try again with the next report, a while later."""
        kept = self._sums.setdefault(pair, _Sum(self._clock.monotonic()))
        kept.keys.update(total.keys)
        kept.bulk += total.bulk


def _uses(app_id: str, environment: str, configs: Mapping[str, Effective], counted: Counted) -> Iterator[KeyUse]:
    for key, effective in configs.items():
        if effective.entry.kind == Kind.SEGMENT:  # rules read it, and nobody else
            continue
        reads = counted.keys.get(key)
        yield KeyUse(
            app_id, environment, key, effective, reads.reads if reads else 0, reads.last_read_at if reads else None
        )


def _coverage(app_id: str, environment: str, counted: Counted, agents: list[AgentPresence]) -> Coverage:
    silent = [each.report.instance for each in agents if each.report.reads is None]
    return Coverage(app_id, environment, counted.since, counted.bulk, counted.last_bulk_at, len(agents), tuple(silent))

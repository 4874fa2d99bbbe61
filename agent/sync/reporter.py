"""Tell the control plane what we have applied: soon after a change, at once after a rejection, and now and then."""

import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskStatus

from agent.ports import Source, UpstreamRefusedError, UpstreamUnavailableError
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from agent.snapshot.usage import Usage
from agent.sync.status import Status
from shared.runtime.retry import Backoff
from shared.wire.report import ReadCounts, Report

FIRST_INTERVAL = 10.0
"""Seconds between reports until the control plane asks for something else."""

MAX_INTERVAL = 600.0
SPREAD_SHARE = 0.05
"""Reports after a change are spread over this share of the interval: a large fleet, asked for less, spreads more."""

NO_TRANSPORT = "none"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who reports."""

    instance: str
    agent_version: str
    labels: Mapping[str, str] = field(default_factory=dict)


class Reporter:
    """Sends reports, coalesced; a failure to send disturbs nothing but the next report's moment."""

    def __init__(
        self, source: Source, store: SnapshotStore, status: Status, identity: Identity, usage: Usage | None = None
    ) -> None:
        self._source, self._store, self._status, self._identity = source, store, status, identity
        self._usage = usage or Usage()
        self._interval = FIRST_INTERVAL
        self._backoff = Backoff(base=1.0, cap=60.0)
        self._news = anyio.Event()
        self._urgent = anyio.Event()
        self._rejections = status.rejections

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Report until cancelled."""
        with self._store.subscribe(self._swapped), self._status.observe(self._status_changed):
            task_status.started()
            while True:
                wait = await self._report()
                with anyio.move_on_after(wait):
                    await self._news.wait()

    async def _report(self) -> float:
        """Send one report, a moment after the news; returns how long the next may wait for news."""
        with anyio.move_on_after(random.uniform(0.0, SPREAD_SHARE * self._interval)):  # noqa: S311 - jitter
            await self._urgent.wait()
        self._news, self._urgent = anyio.Event(), anyio.Event()
        reads = self._usage.take()
        try:
            asked = await self._source.report(self._compose(reads))
        except (UpstreamUnavailableError, UpstreamRefusedError) as error:
            self._usage.give_back(reads)
            _log.debug("cannot report", extra={"error": str(error)})
            await anyio.sleep(self._backoff.next(getattr(error, "retry_after", 0.0)))
            return 0.0
        self._backoff.reset()
        self._interval = min(max(asked, 0.1), MAX_INTERVAL)
        return self._interval * random.uniform(0.9, 1.1)  # noqa: S311 - jitter

    def _compose(self, reads: ReadCounts) -> Report:
        snapshot, status = self._store.current, self._status
        return Report(
            instance=self._identity.instance,
            app_id=snapshot.app_id,
            environment=snapshot.environment,
            agent_version=self._identity.agent_version,
            revisions=snapshot.revisions,
            state=status.state,
            transport=status.transport or NO_TRANSPORT,
            labels=dict(self._identity.labels),
            rejection=status.rejection,
            reads=reads,
        )

    def _swapped(self, _old: Snapshot, _new: Snapshot) -> None:
        self._news.set()

    def _status_changed(self) -> None:
        if self._status.rejections != self._rejections:
            self._rejections = self._status.rejections
            self._urgent.set()
        self._news.set()

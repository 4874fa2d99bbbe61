"""Tell the control plane what we have applied: soon after a change, at once after a rejection, and now and then."""

import logging
import random
from contextlib import ExitStack
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskStatus

from agent.ports import Source, UpstreamRefusedError, UpstreamUnavailableError
from agent.snapshot.misunderstood import misunderstood
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from agent.snapshot.usage import Usage
from agent.sync.health import Condition
from agent.sync.remarks import Remarks
from agent.sync.skew import Skew
from agent.sync.status import Status
from agent.sync.witness import Witness
from shared.runtime.clock import SystemClock
from shared.runtime.retry import Backoff
from shared.wire.evidence import Evidence
from shared.wire.report import ReadCounts, Report

FIRST_INTERVAL = 10.0
"""Seconds between reports until the control plane asks for something else."""

MAX_INTERVAL = 600.0
OUTCOMES_EVERY = 5.0
"""Seconds between two reports of outcomes, as long as the fleet is small; never more often than every half interval."""

GAP = 1.0
"""Seconds between two reports at the least: an application that falls over and gets up again is told of once."""

SPREAD_SHARE = 0.05
"""Reports after a change are spread over this share of the interval: a large fleet, asked for less, spreads more."""

NO_TRANSPORT = "none"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who reports."""

    instance: str
    agent_version: str
    labels: dict[str, str] = field(default_factory=dict)


class Reporter:
    """Sends reports, coalesced; a failure to send disturbs nothing but the next report's moment."""

    def __init__(
        self,
        source: Source,
        store: SnapshotStore,
        status: Status,
        identity: Identity,
        *,
        usage: Usage | None = None,
        witness: Witness | None = None,
        skew: Skew | None = None,
        remarks: Remarks | None = None,
    ) -> None:
        self._source, self._store, self._status, self._identity = source, store, status, identity
        self._usage, self._witness, self._skew = usage or Usage(), witness, skew or Skew(SystemClock())
        self._remarks = remarks or Remarks(SystemClock(), lambda: store.applied.revision)
        self._interval = FIRST_INTERVAL
        self._backoff = Backoff(base=1.0, cap=60.0)
        self._news = anyio.Event()
        self._urgent = anyio.Event()
        self._outcome = anyio.Event()
        self._rejections = status.rejections
        self._reported_at = float("-inf")

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Report until cancelled."""
        with ExitStack() as stack:
            stack.enter_context(self._store.subscribe(self._swapped))
            stack.enter_context(self._status.observe(self._status_changed))
            stack.enter_context(self._remarks.observe(self._remarked))
            if self._witness is not None:
                stack.enter_context(self._witness.health.observe(self._health_changed))
                stack.enter_context(self._witness.outcomes.observe(self._counted))
            task_status.started()
            while True:
                wait = await self._report()
                with anyio.move_on_after(wait):
                    await self._until_news()

    async def _until_news(self) -> None:
        """Until there is news, or outcomes have been waiting for long enough."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._until_outcomes, group.cancel_scope)
            await self._news.wait()
            group.cancel_scope.cancel()

    async def _until_outcomes(self, scope: anyio.CancelScope) -> None:
        if self._witness is None or not self._witness.has_more:
            await self._outcome.wait()
        await anyio.sleep(max(OUTCOMES_EVERY, self._interval / 2))
        scope.cancel()

    async def _report(self) -> float:
        """Send one report, a moment after the news; returns how long the next may wait for news."""
        with anyio.move_on_after(random.uniform(0.0, SPREAD_SHARE * self._interval)):  # noqa: S311 - jitter
            await self._urgent.wait()
        await anyio.sleep(max(0.0, self._reported_at + GAP - anyio.current_time()))
        self._news, self._urgent, self._outcome = anyio.Event(), anyio.Event(), anyio.Event()
        self._reported_at = anyio.current_time()
        reads = self._usage.take()
        batch = None if self._witness is None else self._witness.batch()
        began = self._skew.begin()
        try:
            answer = await self._source.report(self._compose(reads, batch))
        except (UpstreamUnavailableError, UpstreamRefusedError) as error:
            self._usage.give_back(reads)
            self._status.failed("report", error)
            _log.debug("cannot report", extra={"error": str(error)})
            await anyio.sleep(self._backoff.next(getattr(error, "retry_after", 0.0)))
            return 0.0
        self._backoff.reset()
        if self._witness is not None:
            self._witness.received(batch)
        if self._skew.measured(began, answer.now_ms):
            self._news.set()
        self._interval = min(max(answer.next_report_in, 0.1), MAX_INTERVAL)
        return self._interval * random.uniform(0.9, 1.1)  # noqa: S311 - jitter

    def _compose(self, reads: ReadCounts, evidence: Evidence | None) -> Report:
        snapshot, status = self._store.applied, self._status
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
            health="" if self._witness is None or not self._witness.probed else self._witness.health.condition,
            evidence=evidence,
            clock_skew=self._skew.reading,
            unsupported=misunderstood(snapshot),
            remarks=self._remarks.current,
        )

    def _swapped(self, old: Snapshot, new: Snapshot) -> None:
        """What we cannot understand is told of at once: gates fail by it."""
        if new.program.unsupported and (told := misunderstood(new)) != misunderstood(old):
            _log.warning("configs cannot be understood", extra={"keys": [each.key for each in told]})
            self._urgent.set()
        self._news.set()

    def _counted(self) -> None:
        self._outcome.set()

    def _health_changed(self) -> None:
        """An application that became unhealthy is told of at once."""
        if self._witness is not None and self._witness.health.condition is Condition.UNHEALTHY:
            self._urgent.set()
        self._news.set()

    def _remarked(self) -> None:
        """That the application does not get what was applied is told of at once: gates fail by it."""
        if self._remarks.refuses:
            self._urgent.set()
        self._news.set()

    def _status_changed(self) -> None:
        if self._status.rejections != self._rejections:
            self._rejections = self._status.rejections
            self._urgent.set()
        self._news.set()

"""Keep the store equal to the control plane: hydrate, follow the feeds, notice what is missing, resync, and say so."""

import logging
import random
from collections.abc import Sequence

import anyio
from anyio.abc import TaskStatus

from agent.ports import Feed, Keeper, Source
from agent.snapshot.model import RejectedError
from agent.snapshot.store import SnapshotStore
from agent.sync.agreement import Agreement, compare, revisions_of
from agent.sync.applier import Applier
from agent.sync.assembly import Assembly, Need, Step
from agent.sync.failover import Failover, FeedError
from agent.sync.resync import Resync
from agent.sync.status import State, Status
from agent.sync.tidying import Tidying
from shared.runtime.clock import Clock
from shared.wire.messages import ChangeMessage, Heartbeat, Message

PATIENCE = 1.0
"""Seconds that something which should be on its way may take before we fetch it."""

POLL_INTERVAL = 10.0
"""Mean seconds between fetches while no feed can be followed."""

_log = logging.getLogger(__name__)


class Synchronizer:
    """Owns the agent's way from `hydrating` to `live` and back.

    Everything is applied synchronously in one task's turn: a message is either applied when `heard` returns, or it
    waits in the assembly for what is missing. While a fetch is on its way messages wait as well, so that its answer
    is never behind us.
    """

    def __init__(  # noqa: PLR0917 - the agent's parts come together here
        self,
        store: SnapshotStore,
        feeds: Sequence[Feed],
        source: Source,
        keeper: Keeper,
        status: Status,
        clock: Clock,
        *,
        patience: float = PATIENCE,
        poll_interval: float = POLL_INTERVAL,
    ) -> None:
        self._store, self._status, self._clock = store, status, clock
        self._patience, self._poll_interval = patience, poll_interval
        self._keeper, self._gap = keeper, False
        self._applier = Applier(store, keeper, status, clock)
        self._assembly = Assembly(store.applied.lineage)
        self._resync = Resync(source, store, self._applier, status, self._fetched, spread=patience / 4)
        self._failover = Failover(feeds, self, status, lambda: store.applied.revisions)
        self._tidying = Tidying(store, keeper, status)

    def hydrate(self) -> bool:
        """Serve the last known good, if there is one; whether there was."""
        snapshot = self._keeper.load()
        if snapshot is None:
            self._status.last_error = self._keeper.trouble
            return False
        self._store.swap(snapshot)
        self._status.heard_of(snapshot.revision)
        self._status.enter(State.STALE)
        return True

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Follow the control plane until cancelled; ready at once, with or without it."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._tidying.run)
            group.start_soon(self._resync.run)
            group.start_soon(self._failover.run)
            self._resync.request("start", after=0.0 if not self._store.ready else self._patience / 10)
            task_status.started()

    async def sync_now(self) -> bool:
        """Fetch at once; whether we now hold what the control plane holds."""
        return await self._resync.now()

    def doubted(self) -> None:
        """Something that came was not believed: what it stood in for, if anything, is fetched."""
        self._resync.request("something was refused", after=self._spread())

    def joined(self, feed: str) -> None:
        """Changes are heard from now on; what was missed until now has to be fetched."""
        _log.info("following", extra={"feed": feed})
        if self._status.state is not State.LIVE:
            # A short wait: a first heartbeat may tell that there is nothing to fetch.
            self._resync.request("joined", after=random.uniform(0.5, 1.0) * self._patience / 10)  # noqa: S311 - jitter

    def left(self, feed: str, error: FeedError) -> None:
        """This feed broke; if it was the last one, nobody tells us of changes any more."""
        _ = feed, error
        if not self._status.connected:
            wait = self._patience if self._status.state is State.LIVE else self._poll_interval
            self._doubt()
            self._resync.request("no feed", after=random.uniform(0.5, 1.5) * wait)  # noqa: S311 - jitter

    def heard(self, message: Message) -> bool:
        """Take a message in; for a heartbeat, tell whether we have all that it speaks of."""
        self._status.last_heard = self._clock.monotonic()
        self._status.heard_of(message.revision)
        if isinstance(message, Heartbeat):
            return self._compare(message)
        self._assembly.add(message, self._store.applied.revisions)
        if not self._resync.fetching:
            self._advance()
        return False

    def _compare(self, heartbeat: Heartbeat) -> bool:
        match compare(self._store.applied, heartbeat):
            case Agreement.AGREED:
                if self._store.ready:
                    self._resync.agreed()
                    self._confirm()
            case Agreement.BEHIND:
                expected = revisions_of(heartbeat)
                self._resync.request("heartbeat is ahead", after=self._spread(), unless=expected)
            case Agreement.DIVERGED if not self._resync.fetching:
                self._status.last_error = f"we hold something else at {tuple(self._store.applied.revisions)}"
                _log.error("diverged from the control plane", extra={"revision": self._store.applied.revision})
                self._resync.request_whole("heartbeat diverges")
            case _:
                pass
        return self._store.ready and self._store.applied.revisions.covers(revisions_of(heartbeat))

    def _advance(self) -> None:
        """Apply all that can be applied, then see to what stands in the way of the rest."""
        if not self._store.ready:  # a message on top of nothing would look like everything
            return
        while (step := self._assembly.next(self._store.applied.revisions)).change:
            if not self._apply(step.change):
                return
        self._see_to(step)

    def _apply(self, change: Sequence[ChangeMessage]) -> bool:
        try:
            self._applier.change(change)
        except RejectedError as error:
            _log.warning("a change was rejected", extra={"revision": change[0].revision, "error": str(error)})
            self._status.rejections += 1
            self._status.last_error = str(error)
            self._assembly.clear()
            self._resync.request_whole("a change was rejected")
            return False
        self._resync.progressed()
        self._confirm()
        return True

    def _see_to(self, step: Step) -> None:
        match step.need:
            case Need.NOTHING:
                self._gap = False
                self._resync.settled()
            case Need.PARTS:
                self._resync.request("parts are missing", after=self._spread(), unless=step.expected)
            case Need.GAP:
                self._status.gaps += not self._gap
                self._gap = True
                self._resync.request("gap")
            case Need.VALUES:
                self._resync.request("sensitive values")

    def _spread(self) -> float:
        return self._patience * random.uniform(1.0, 1.25)  # noqa: S311 - jitter

    def _fetched(self, succeeded: bool) -> None:  # noqa: FBT001 - a callback with one fact
        """After every fetch: join what was heard meanwhile."""
        if succeeded:
            self._confirm()
        else:
            self._doubt()
        self._advance()
        if not self._status.connected:
            self._resync.request("poll", after=random.uniform(0.5, 1.5) * self._poll_interval)  # noqa: S311 - jitter

    def _confirm(self) -> None:
        """We hold what the control plane holds; and as long as a feed is heard that stays so."""
        self._status.last_confirmed = self._clock.monotonic()
        self._status.enter(State.LIVE if self._status.connected else State.STALE)

    def _doubt(self) -> None:
        self._status.enter(State.STALE if self._store.ready else State.HYDRATING)

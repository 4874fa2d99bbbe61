"""Fetch what we miss: on demand, one at a time, spread out and with backoff, as a delta or, when that fails, whole."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import anyio

from agent.ports import Source, UpstreamRefusedError, UpstreamUnavailableError
from agent.snapshot.model import BehindError, RejectedError
from agent.snapshot.store import SnapshotStore
from agent.sync.applier import Applier
from agent.sync.status import Status
from shared.domain.scope import Revisions
from shared.runtime.retry import Backoff
from shared.wire.report import MAX_TEXT, Rejection
from shared.wire.snapshot import MalformedSnapshotError, SnapshotDocument
from shared.wire.text import sendable

REFUSED_WAIT = 5.0
"""Least wait after the control plane refused us, seconds: only an operator can change that."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Wanted:
    """A fetch that is due at a moment of the event loop's clock, unless by then the snapshot covers `unless`."""

    due: float
    reason: str
    unless: Revisions | None = None


class Resync:
    """The only one who fetches. `fetching` is set while an answer is on its way: changes wait for it.

    `fetched` is called after every attempt with whether it brought us up to date. `spread` is the time, in seconds,
    over which a fleet that misses the same change asks for it.
    """

    def __init__(
        self,
        source: Source,
        store: SnapshotStore,
        applier: Applier,
        status: Status,
        fetched: Callable[[bool], None],
        *,
        spread: float = 0.25,
    ) -> None:
        self._source, self._store, self._applier, self._status = source, store, applier, status
        self._fetched = fetched
        self._wanted: _Wanted | None = None
        self._whole = False
        self._wake = anyio.Event()
        self._turn = anyio.Lock()
        self._backoff = Backoff(base=spread)
        self._doubt = Backoff(base=spread, cap=60.0)
        self._not_before = 0.0
        self.fetching = False

    def request(self, reason: str, *, after: float | None = None, unless: Revisions | None = None) -> None:
        """Want a delta `after` seconds (None: soon, with jitter). The earliest request stands for all."""
        wanted = self._wanted
        if wanted is not None and wanted.unless is None and (after is None or unless is not None):
            return
        if after is None:
            after = self._backoff.next()
        due = max(anyio.current_time() + after, self._not_before)
        if wanted is None:
            self._wanted = _Wanted(due, reason, unless)
        else:
            wanted.due = min(wanted.due, due)
            wanted.unless = wanted.unless and unless
        self._wake.set()

    def request_whole(self, reason: str) -> None:
        """Want the whole snapshot: what we hold is not what the control plane holds."""
        if not self._whole:
            self._whole = True
            self.request(reason, after=self._doubt.next())

    def progressed(self) -> None:
        """The snapshot moved on: drop the request that this made needless."""
        if self._wanted is not None and self._wanted.unless is not None and not self._still_wanted(self._wanted):
            self._wanted = None

    def settled(self) -> None:
        """Nothing is missing any more, as far as we know."""
        self._backoff.reset()

    def agreed(self) -> None:
        """We are known to hold what the control plane holds: no need to fetch anything, and no more doubts."""
        self._backoff.reset()
        self._doubt.reset()
        if not self._whole:
            self._wanted = None

    async def run(self) -> None:
        """Fetch whenever something is due."""
        while True:
            await self._until_due()
            async with self._turn:
                await self._fetch()

    async def now(self) -> bool:
        """Fetch at once; whether that brought us up to date."""
        async with self._turn:
            return await self._fetch()

    async def _until_due(self) -> None:
        while True:
            self._wake = anyio.Event()
            deadline = float("inf") if self._wanted is None else self._wanted.due
            with anyio.CancelScope(deadline=deadline):
                await self._wake.wait()
                continue
            wanted = self._wanted
            if wanted is not None and anyio.current_time() >= wanted.due:
                if self._still_wanted(wanted):
                    _log.debug("resync", extra={"reason": wanted.reason})
                    return
                self._wanted = None

    def _still_wanted(self, wanted: _Wanted) -> bool:
        return wanted.unless is None or self._whole or not self._store.applied.revisions.covers(wanted.unless)

    async def _fetch(self) -> bool:
        self._wanted, self.fetching = None, True
        self._status.resyncs += 1
        try:
            document = await self._attempt()
        except UpstreamUnavailableError as error:
            return self._failed(error, error.retry_after)
        except UpstreamRefusedError as error:
            return self._failed(error, REFUSED_WAIT)
        except (RejectedError, MalformedSnapshotError) as error:
            return self._failed(error)
        except anyio.get_cancelled_exc_class():
            self.request("interrupted", after=0.0)  # whoever asked for it has gone; what it was for has not
            raise
        finally:
            self.fetching = False
        self._whole = False
        if document.stale:
            return self._failed(UpstreamUnavailableError("the control plane answers from memory: its database is away"))
        self._not_before = 0.0
        self._fetched(True)
        return True

    async def _attempt(self) -> SnapshotDocument:
        """Fetch and show what we miss: as a delta, and where that is refused, whole."""
        if not self._whole and self._store.ready:
            try:
                return await self._show(self._store.applied.revisions)
            except BehindError:
                raise
            except (RejectedError, MalformedSnapshotError) as error:
                _log.warning("a delta was rejected, fetching the whole", extra={"error": str(error)})
                self._status.rejections += 1
                self._whole = True
        try:
            return await self._show(None)
        except BehindError:
            raise
        except (RejectedError, MalformedSnapshotError) as error:
            self._status.reject(Rejection(self._status.upstream_revision, sendable(str(error), MAX_TEXT)))
            raise

    async def _show(self, since: Revisions | None) -> SnapshotDocument:
        document = await self._source.fetch(since, self._status.upstream_revision)
        self._status.heard_of(document.revisions.latest)
        self._applier.document(document)
        return document

    def _failed(self, error: Exception, at_least: float = 0.0) -> bool:
        if str(error) != self._status.last_error:
            _log.warning("cannot resync", extra={"error": str(error)})
        self._status.last_error = str(error)
        if not isinstance(error, RejectedError):
            self._status.failed("fetch", error)
        self._not_before = anyio.current_time() + at_least
        self.request("retry", after=self._backoff.next(at_least))
        self._fetched(False)
        return False

"""What operators should know of this agent: told by whoever notices, shown in `/status`, sent with every report."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

from agent.sync.observers import Observer, Observers
from shared.runtime.clock import Clock, unix_ms
from shared.wire.remark import MAX_ABOUT, MAX_DETAIL, MAX_KIND, MAX_REMARKS, Remark
from shared.wire.text import sendable

_log = logging.getLogger(__name__)


class Remarks:
    """Those that stand now, the oldest first. `revision` says what the agent has applied."""

    def __init__(self, clock: Clock, revision: Callable[[], int]) -> None:
        self._clock, self._revision = clock, revision
        self._standing: dict[tuple[str, str], Remark] = {}
        self._observers = Observers()

    @property
    def current(self) -> tuple[Remark, ...]:
        """As many as a report holds, those first by which the agent refuses something."""
        return tuple(sorted(self._standing.values(), key=lambda each: not each.refuses)[:MAX_REMARKS])

    @property
    def refuses(self) -> bool:
        """Whether the application does not get what the agent has applied."""
        return any(each.refuses for each in self._standing.values())

    def tell(self, kind: str, about: str, detail: str, *, refuses: bool = False) -> None:
        """Say something, or the same again: then it stands since it was first said, of the revision that holds now."""
        which = (sendable(kind, MAX_KIND), sendable(about, MAX_ABOUT))
        known = self._standing.get(which)
        since_ms = unix_ms(self._clock.now()) if known is None else known.since_ms
        said = Remark(*which, sendable(detail, MAX_DETAIL), since_ms, refuses, self._revision())
        if said == known:
            return
        self._standing[which] = said
        if known is None or replace(known, revision=said.revision) != said:
            _log.warning("%s: %s", said.kind, said.detail, extra={"about": said.about, "refuses": refuses})
        self._changed()

    def withdraw(self, kind: str, about: str) -> None:
        """It is not so any more, if it ever was."""
        if self._standing.pop((sendable(kind, MAX_KIND), sendable(about, MAX_ABOUT)), None) is not None:
            _log.info("%s: it is well again", kind, extra={"about": about})
            self._changed()

    def observe(self, observer: Observer) -> AbstractContextManager[None]:
        """Have `observer` called at each change until the block ends."""
        return self._observers.observe(observer)

    def _changed(self) -> None:
        self._observers.tell()

"""The one place where a new snapshot becomes visible: kept on disk first, then swapped in."""

import logging
from collections.abc import Sequence

from agent.ports import Keeper
from agent.snapshot.model import RejectedError, Snapshot
from agent.snapshot.store import SnapshotStore
from agent.sync.status import Status
from shared.runtime.clock import Clock
from shared.wire.messages import ChangeMessage
from shared.wire.snapshot import SnapshotDocument

_log = logging.getLogger(__name__)


class Applier:
    """Applies documents and changes to the store, all or nothing; what it refuses leaves no trace.

    Nothing but `RejectedError` leaves it, whatever the input does to the code that applies it.
    """

    def __init__(self, store: SnapshotStore, keeper: Keeper, status: Status, clock: Clock) -> None:
        self._store, self._keeper, self._status, self._clock = store, keeper, status, clock

    def document(self, document: SnapshotDocument) -> None:
        """Show what a fetched document leads to.

        Raises:
            RejectedError: it cannot be applied.
        """
        old = self._store.applied
        try:
            new = old.after(document)
        except RejectedError:
            raise
        except Exception as error:
            raise _rejected(error) from error
        if not self._store.ready or (new.revisions, new.digests) != (old.revisions, old.digests) or document.full:
            self._show(new, document)

    def change(self, messages: Sequence[ChangeMessage]) -> None:
        """Show one change, given by all of its messages that concern us.

        Raises:
            RejectedError: it cannot be applied.
        """
        try:
            new = self._store.applied.after_messages(messages)
        except RejectedError:
            raise
        except Exception as error:
            raise _rejected(error) from error
        self._show(new, new.delta(messages))

    def _show(self, snapshot: Snapshot, document: SnapshotDocument) -> None:
        status = self._status
        try:
            self._keeper.keep(snapshot, document)
        except OSError as error:
            status.keep_failures += 1
            if not status.keep_error:
                _log.error("the last known good cannot be kept", extra={"error": str(error)})
            status.keep_error = str(error)
        else:
            status.keep_error = ""
        status.applied += 1
        status.applied_at = self._clock.now()
        if status.rejection is not None and snapshot.revision >= status.rejection.revision:
            status.rejection = None
        self._store.swap(snapshot)


def _rejected(error: Exception) -> RejectedError:
    return RejectedError(f"cannot be applied: {type(error).__name__}: {error}")

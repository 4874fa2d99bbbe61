"""The last known good on disk: what the agent serves after a restart, also when everything else is gone.

A generation is a base file (a whole snapshot, replaced atomically) and a journal (each document applied since).
Keeping a change is one write to the journal, without waiting for the disk: that survives our own death. `tidy` syncs
it, and starts a new generation when the journal has grown; after a loss of power an older state may be found, but
always a whole one. The generation before is kept as well. Sensitive values are sealed with a key that is kept apart.
"""

import fcntl
import logging
import os
import threading
from pathlib import Path

from agent.snapshot.durable import create, replace, write_all
from agent.snapshot.journal import encode_base, encode_record, journal_header
from agent.snapshot.model import Snapshot
from agent.snapshot.proven import ProvenCopy
from agent.snapshot.recovery import drop_older, generation_path, generations, recover, unsealed
from agent.snapshot.sealing import SealedError, Sealer
from agent.snapshot.state_key import StateKey
from shared.domain.scope import Revisions
from shared.wire.snapshot import SnapshotDocument

MAX_JOURNAL_BYTES = 4 * 1024 * 1024
MAX_JOURNAL_RECORDS = 500
"""Beyond either, a new generation starts: replaying must stay quick."""

MAX_JOURNALS = 8
"""Every start of the agent begins a journal; beyond this many since the base, a new generation starts as well."""

_log = logging.getLogger(__name__)


class StateInUseError(OSError):
    """Another agent of the same app/environment keeps its state in the same directory."""

    def __init__(self, directory: Path) -> None:
        super().__init__(f"another agent uses {directory}: give each its own state directory")


class FileKeeper:
    """Keeps the last known good of one app/environment in `state_dir/<app>.<environment>`, which it locks.

    `keep` belongs to the event loop, `tidy` may run in a thread at the same time. `trouble` says why nothing was loaded
    although something was kept; `key` is where the key is, if it is not our own.
    """

    def __init__(self, state_dir: Path, app_id: str, environment: str, key: Path | None = None) -> None:
        owner = f"{app_id}.{environment}"
        self.directory, self.trouble = state_dir / owner, ""
        self._empty = Snapshot.empty(app_id, environment)
        self._sealer = Sealer(StateKey.of(state_dir, owner, key), app_id, environment)
        self.proven = ProvenCopy(self.directory, self._empty, self._sealer)
        self._mutex = threading.Lock()
        self._lock = self._journal = -1
        self._base = self._generation = self._size = self._records = 0
        self._latest = self._empty
        self._whole_next = True
        try:
            self._open_directory()
        except StateInUseError:
            raise
        except OSError as error:
            _log.warning("no state directory", extra={"directory": str(self.directory), "error": str(error)})

    def load(self) -> Snapshot | None:
        """The newest state that is whole and ours, or None."""
        try:
            found = recover(self.directory, self._empty, self._sealer)
        except (OSError, SealedError) as error:
            _log.warning("the last known good cannot be read", extra={"error": str(error)})
            self.trouble = f"the last known good cannot be read: {error}"
            return None
        if found is None:
            return self.proven.load()  # older, and still better than nothing
        self._latest, self._base, self._whole_next = found.snapshot, found.base, False
        self._seal_all()
        return found.snapshot

    def keep(self, snapshot: Snapshot, document: SnapshotDocument) -> None:
        """Append `document`, or `snapshot` as a whole where an earlier one is missing on disk.

        Raises:
            OSError: it could not be written; the next one will be whole.
        """
        with self._mutex:
            since, self._whole_next, whole = self._latest.revisions, True, self._whole_next
            self._append(since, snapshot.document() if whole and not document.full else document)
            self._latest, self._whole_next = snapshot, False

    def tidy(self) -> None:
        """Sync the journal; start a new generation when it has grown.

        Raises:
            OSError: the disk is full or broken. What was there before is untouched.
        """
        with self._mutex:
            if self._journal < 0 or self._whole_next:
                return
            synced, snapshot, grown = os.dup(self._journal), self._latest, self._grown()
            try:
                if grown:
                    self._start_journal()
                generation = self._generation
            except OSError:
                os.close(synced)
                raise
        try:
            os.fsync(synced)
        finally:
            os.close(synced)
        if grown:
            self._start_base(generation, snapshot)

    def close(self) -> None:
        """Let go of the files and of the lock."""
        with self._mutex:
            for descriptor in (self._journal, self._lock):
                if descriptor >= 0:
                    os.close(descriptor)
            self._journal = self._lock = -1

    def _start_base(self, generation: int, snapshot: Snapshot) -> None:
        """Have a new base; what was written before values were sealed is not needed any more, and goes."""
        content = encode_base(snapshot.document(), self._sealer)
        replace(generation_path(self.directory, generation, "base"), content)
        drop_older(self.directory, self._base, self._empty)
        for path in unsealed(self.directory, self._empty):
            path.unlink(missing_ok=True)
        self._base = generation

    def _seal_all(self) -> None:
        """Write again, sealed, what may stand in clear in the files of an agent from before."""
        try:
            if unsealed(self.directory, self._empty):
                if (proven := self.proven.load()) is not None:
                    self.proven.keep(proven)
                self._start_journal()
                self._start_base(self._generation, self._latest)
        except OSError as error:
            _log.warning("the state stays in clear until there is a new base", extra={"error": str(error)})

    def _open_directory(self) -> None:
        """Make and lock our directory; what a write that was broken off left behind goes."""
        self.directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory.mkdir(mode=0o700, exist_ok=True)
        lock = create(self.directory / "lock")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise StateInUseError(self.directory) from error
        self._lock = lock
        for path in self.directory.glob("*.temporary"):
            path.unlink(missing_ok=True)

    def _grown(self) -> bool:
        if self._base == 0 or self._size > MAX_JOURNAL_BYTES or self._records > MAX_JOURNAL_RECORDS:
            return True
        return sum(each >= self._base for each in generations(self.directory, "journal")) > MAX_JOURNALS

    def _append(self, since: Revisions, document: SnapshotDocument) -> None:
        if self._lock < 0:
            self._open_directory()
        if self._journal < 0:
            self._start_journal()
        record = encode_record(since, document, self._sealer)
        try:
            write_all(self._journal, record)
        except OSError:
            self._cut()
            raise
        self._size += len(record)
        self._records += 1

    def _cut(self) -> None:
        """Take half a record away again; where even that fails, the next one goes to a new journal."""
        try:
            os.ftruncate(self._journal, self._size)
            os.lseek(self._journal, self._size, os.SEEK_SET)
        except OSError:
            os.close(self._journal)
            self._journal = -1

    def _start_journal(self) -> None:
        """Open the journal of a new generation; the ones before are never written to again."""
        known = generations(self.directory, "base") + generations(self.directory, "journal")
        generation = max([self._generation, *known]) + 1
        path = generation_path(self.directory, generation, "journal")
        descriptor, header = create(path), journal_header(self._empty.app_id, self._empty.environment)
        try:
            write_all(descriptor, header)
        except OSError:
            os.close(descriptor)
            path.unlink()
            raise
        if self._journal >= 0:
            os.close(self._journal)
        self._journal, self._generation, self._size, self._records = descriptor, generation, len(header), 0

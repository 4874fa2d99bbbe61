"""The second copy on disk: the last snapshot that the application stayed healthy with, and whether we fell back to it.

Both files are replaced whole or not at all. The copy is written once a bake time at most, whatever the number of changes.
"""

import logging
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agent.snapshot.durable import replace, sync_directory
from agent.snapshot.journal import DamagedError, ForeignError, decode_base, encode_base, read_base_header
from agent.snapshot.model import RejectedError, Snapshot
from agent.snapshot.sealing import SealedError, Sealer
from shared.domain.codec import MalformedJsonError, decode, encode

_HEADER_LIMIT = 4096

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Proof:
    """What the copy holds, without holding it."""

    revision: int
    digests: tuple[int, int, int]

    def is_of(self, snapshot: Snapshot) -> bool:
        """Whether the copy says the same as a snapshot."""
        return self.digests == snapshot.digests


class ProvenCopy:
    """The files `proven.snapshot` and `fallback.json` of a directory that its owner has locked."""

    def __init__(self, directory: Path, empty: Snapshot, sealer: Sealer) -> None:
        self._sealer = sealer
        self._copy, self._mark, self._empty = directory / "proven.snapshot", directory / "fallback.json", empty

    def load(self) -> Snapshot | None:
        """The proven snapshot; None if there is none that is whole and ours."""
        try:
            content = self._copy.read_bytes()
        except OSError:
            return None
        try:
            return self._empty.after(decode_base(content, self._empty.app_id, self._empty.environment, self._sealer))
        except (DamagedError, ForeignError, RejectedError, SealedError) as error:
            _log.warning("the proven snapshot cannot be used", extra={"file": str(self._copy), "error": str(error)})
            return None

    def proof(self) -> Proof | None:
        """What the copy says that it holds: its first line is enough."""
        try:
            with self._copy.open("rb") as file:
                line = file.readline(_HEADER_LIMIT)
            revisions, digests = read_base_header(line, self._empty.app_id, self._empty.environment)
        except (OSError, DamagedError, ForeignError):
            return None
        return Proof(revisions.latest, digests)

    def keep(self, snapshot: Snapshot) -> None:
        """Have this one from now on.

        Raises:
            OSError: the disk is full or broken; the one before is untouched.
        """
        replace(self._copy, encode_base(snapshot.document(), self._sealer))

    def fell_back(self, failed: int) -> None:
        """Remember, over restarts, that the application failed on this revision.

        Raises:
            OSError: it could not be written.
        """
        replace(self._mark, encode({"failed_revision": failed}))

    def returned(self) -> None:
        """Forget it.

        Raises:
            OSError: it could not be removed.
        """
        self._mark.unlink(missing_ok=True)
        sync_directory(self._mark.parent)

    def failed(self) -> int:
        """The revision on which the application failed when we fell back; 0 if we did not."""
        with suppress(OSError, MalformedJsonError, TypeError, KeyError):
            found = decode(self._mark.read_bytes())["failed_revision"]
            return found if type(found) is int else 0
        return 0


def proof_of(snapshot: Snapshot) -> Proof:
    """What is known of it once it is let go of."""
    return Proof(snapshot.revision, snapshot.digests)

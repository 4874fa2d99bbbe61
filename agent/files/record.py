"""What was published of a set to its end, beyond a restart: so that an edit by somebody else is told from a change of ours."""

import logging
from dataclasses import dataclass
from pathlib import Path

from shared.domain.codec import decode, encode
from shared.runtime.whole_file import write_if_changed

_MODE = 0o600
_MAX_BYTES = 1_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Record:
    """A file of the agent's state that holds the name of a generation, and the digest of what was written as it."""

    path: Path

    def write(self, generation: str, digest: bytes) -> None:
        """Remember it. The application has what it should, so that it cannot be remembered is no failure."""
        try:
            write_if_changed(self.path, encode({"generation": generation, "digest": digest.hex()}), _MODE)
        except OSError as error:
            _log.warning("edits while no agent runs will not be noticed", extra={"file": self.path, "error": error})

    def digest_of(self, generation: str) -> bytes | None:
        """The digest of this generation; None if nothing, or something else, is remembered."""
        try:
            with self.path.open("rb") as file:
                found = decode(file.read(_MAX_BYTES))
            return bytes.fromhex(found["digest"]) if found["generation"] == generation else None
        except (OSError, LookupError, TypeError, ValueError):  # then it is as if there were none
            return None

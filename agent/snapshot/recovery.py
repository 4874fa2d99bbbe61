"""Find the newest whole state among the files of the last known good: the best base, then the journals that follow."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.snapshot.journal import DamagedError, ForeignError, decode_base, decode_records, is_ours, is_unsealed
from agent.snapshot.model import RejectedError, Snapshot
from agent.snapshot.sealing import Sealer

_HEADER_LIMIT = 4096

_log = logging.getLogger(__name__)


def generations(directory: Path, suffix: str) -> list[int]:
    """The numbers of the files `<number>.<suffix>`, rising."""
    return sorted(int(each.stem) for each in directory.glob(f"*.{suffix}") if each.stem.isdecimal())


def generation_path(directory: Path, generation: int, suffix: str) -> Path:
    """Where one file of a generation stands."""
    return directory / f"{generation:012d}.{suffix}"


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was found: the state, and the generation of the base that it stands on (0: none)."""

    snapshot: Snapshot
    base: int


def recover(directory: Path, empty: Snapshot, sealer: Sealer) -> Recovered | None:
    """The newest state that is whole and ours; None where there is none.

    A base that is damaged is passed over in favour of the one before it; journals are replayed for as long as each
    record stands exactly on what the one before it led to, or stands for itself. What we have no key for is passed over
    in favour of nothing: with its secrets left out it would be a state that never was, and whatever came before them
    may be older than anything that a damaged disk leaves.

    Raises:
        SealedError: it was sealed with another key than we have.
    """
    for generation in reversed(generations(directory, "base")):
        if (base := _base(generation_path(directory, generation, "base"), empty, sealer)) is not None:
            return Recovered(_replay(directory, generation, base, sealer), generation)
    replayed = _replay(directory, 0, empty, sealer)
    return None if replayed is empty else Recovered(replayed, 0)


def drop_older(directory: Path, oldest: int, empty: Snapshot) -> None:
    """Remove our generations before `oldest`; what is not ours is left alone."""
    for suffix in ("base", "journal"):
        for generation in generations(directory, suffix):
            path = generation_path(directory, generation, suffix)
            if generation < oldest and _ours(path, empty):
                path.unlink(missing_ok=True)


def unsealed(directory: Path, empty: Snapshot) -> list[Path]:
    """Our files that may hold sensitive values in clear: those from before there were seals."""
    found = [*directory.glob("*.base"), *directory.glob("*.journal"), *directory.glob("proven.snapshot")]
    return [path for path in found if _is_unsealed(path, empty)]


def _is_unsealed(path: Path, empty: Snapshot) -> bool:
    with path.open("rb") as file:
        return is_unsealed(file.readline(_HEADER_LIMIT), empty.app_id, empty.environment)


def _ours(path: Path, empty: Snapshot) -> bool:
    with path.open("rb") as file:
        return is_ours(file.readline(_HEADER_LIMIT), empty.app_id, empty.environment)


def _base(path: Path, empty: Snapshot, sealer: Sealer) -> Snapshot | None:
    try:
        return empty.after(decode_base(path.read_bytes(), empty.app_id, empty.environment, sealer))
    except (DamagedError, ForeignError, RejectedError, OSError) as error:
        _refuse(path, error)
    return None


def _replay(directory: Path, first: int, snapshot: Snapshot, sealer: Sealer) -> Snapshot:
    for generation in generations(directory, "journal"):
        if generation >= first:
            for state in _states(generation_path(directory, generation, "journal"), snapshot, sealer):
                snapshot = state
    return snapshot


def _states(path: Path, snapshot: Snapshot, sealer: Sealer) -> Iterator[Snapshot]:
    """The states that a journal leads to, up to its first record that is torn or does not follow."""
    try:
        for record in decode_records(path.read_bytes(), snapshot.app_id, snapshot.environment, sealer):
            if record.document.revisions == snapshot.revisions and record.document.digests == snapshot.digests:
                continue
            if not record.document.full and record.since != snapshot.revisions:
                _refuse(path, f"a record follows {tuple(record.since)}, we are at {tuple(snapshot.revisions)}")
                return
            snapshot = snapshot.after(record.document)
            yield snapshot
    except (DamagedError, ForeignError, RejectedError, OSError) as error:
        _refuse(path, error)


def _refuse(path: Path, reason: object) -> None:
    _log.warning("last known good: a file is not used", extra={"file": str(path), "reason": str(reason)})

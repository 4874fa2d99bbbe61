"""What of a snapshot could not be understood, as `/status` and reports tell it."""

from collections.abc import Iterator
from heapq import nlargest

from agent.snapshot.model import Snapshot
from shared.domain.resolution import Effective
from shared.wire.text import sendable
from shared.wire.unsupported import MAX_REASON, MAX_UNSUPPORTED, Unsupported

_WITHHELD = "it cannot be understood; more is not told of a sensitive config"


def misunderstood(snapshot: Snapshot, at_most: int = MAX_UNSUPPORTED) -> tuple[Unsupported, ...]:
    """The configs that yield their baseline because this agent cannot understand them, those that changed last first."""
    found = (_told(key, reason, snapshot.effective[key]) for key, reason in snapshot.program.unsupported.items())
    return tuple(nlargest(at_most, found, key=lambda each: (each.revision, each.key)))


def _told(key: str, reason: str, effective: Effective) -> Unsupported:
    entries = list(_standing(effective))
    sensitive = any(each.entry.sensitive for each in entries)
    told = _WITHHELD if sensitive else sendable(reason, MAX_REASON)
    return Unsupported(key, max(each.entry.revision for each in entries), told)


def _standing(effective: Effective | None) -> Iterator[Effective]:
    """What answers for a key, and what shows through below it."""
    while effective is not None:
        yield effective
        effective = effective.below

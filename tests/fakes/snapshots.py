"""Snapshots out of thin air, for everything that stands behind the store."""

from collections.abc import Collection, Mapping

from agent.snapshot.model import Snapshot
from shared.domain.codec import Json, canonical
from shared.domain.entry import Entry, Kind
from shared.domain.resolution import resolve_all, scope_digest
from shared.domain.scope import Revisions


def snapshot_of(revision: int, values: Mapping[str, Json], *, sensitive: Collection[str] = ()) -> Snapshot:
    """What `billing/prod` sees when its environment holds exactly these values."""
    own = {
        key: Entry(key, Kind.VALUE, canonical(value), 1, revision, key in sensitive) for key, value in values.items()
    }
    return following(Snapshot.empty("billing", "prod"), revision, own)


def with_values(before: Snapshot, revision: int, values: Mapping[str, Json], removed: Collection[str] = ()) -> Snapshot:
    """The next snapshot: these keys changed, those removed, everything else the very same entries."""
    own = {key: entry for key, entry in before.scopes[2].items() if key not in removed}
    for key, value in values.items():
        version = own[key].version + 1 if key in own else 1
        own[key] = Entry(key, Kind.VALUE, canonical(value), version, revision)
    return following(before, revision, own)


def following(before: Snapshot, revision: int, own: Mapping[str, Entry]) -> Snapshot:
    """A snapshot whose environment holds these entries; effective ones that stay are the same objects."""
    found = resolve_all({}, {}, own)
    effective = {
        key: before.effective[key] if before.effective.get(key) == each else each for key, each in found.items()
    }
    return Snapshot(
        before.app_id,
        before.environment,
        Revisions(0, 0, revision),
        ({}, {}, own),
        (0, 0, scope_digest(own.values())),
        effective,
        before.program.after(effective, {*before.effective, *effective}),
    )

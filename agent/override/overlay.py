"""Lay an override over a snapshot: what readers are shown while a developer has a file of their own."""

from dataclasses import replace

from agent.override.document import Override
from agent.snapshot.model import Snapshot
from shared.domain.codec import Json, canonical, decode
from shared.domain.entry import Entry, Kind
from shared.domain.resolution import Effective
from shared.domain.scope import Level


class Overlay:
    """A lens of the store. `unused` are variants that no flag of the snapshot shown last has, with what is wrong."""

    def __init__(self, override: Override) -> None:
        self._override = override
        self.unused: dict[str, str] = {}

    def __call__(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot with what the override says instead of its own; marked as such."""
        effective, override = dict(snapshot.effective), self._override
        self.unused = {}
        for key in override.hidden:
            effective.pop(key, None)
        for key, (kind, value) in override.entries.items():
            effective[key] = _local(Entry(key, kind, value, 0, 0), effective.get(key))
        for key, variant in override.variants.items():
            if (flag := self._served(key, variant, effective.get(key))) is not None:
                effective[key] = flag
        ordered = dict(sorted(effective.items()))
        return replace(snapshot, effective=ordered, program=snapshot.program.after(ordered, override.keys))

    def _served(self, key: str, variant: str, found: Effective | None) -> Effective | None:
        """The flag that serves nothing but this variant; None if there is no such flag."""
        if found is None or found.entry.kind != Kind.FLAG:
            self.unused[key] = "there is no such flag"
            return None
        document: dict[str, Json] = decode(found.entry.value)
        variants = document.get("variants", {})
        if variant not in variants:
            self.unused[key] = f"the flag has no variant {variant!r}, but {', '.join(sorted(variants))}"
            return None
        value = canonical({"variants": variants, "default": variant})
        return _local(replace(found.entry, value=value, rollout=b""), found)


def _local(entry: Entry, found: Effective | None) -> Effective:
    return Effective(Level.ENVIRONMENT if found is None else found.level, entry, local=True)

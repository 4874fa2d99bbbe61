"""The override file: what a developer wants this agent to serve instead, read strictly.

values:   {checkout.timeout_ms: 50}     # these values, whatever the scopes say
flags:    {new.search: {variants: {…}, default: …}}   # these flags
variants: {checkout.flow: candidate}    # of these flags that variant, for everybody
hidden:   [legacy.mode]                 # as if these configs did not exist
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from shared.domain.codec import Json, MalformedJsonError, canonical
from shared.domain.document import DocumentError, Faults, child
from shared.domain.entry import Kind
from shared.domain.flag import MAX_NAME, parse_flag
from shared.domain.scope import is_key
from shared.wire.yaml_reading import YamlRefusedError, read_yaml

MAX_BYTES = 4 * 1024 * 1024
"""Of an override file."""
MAX_KEYS = 10_000
_MEMBERS = ("values", "flags", "variants", "hidden")


class OverrideError(Exception):
    """The file cannot be taken; the text says what is wrong, and where."""


@dataclass(frozen=True, slots=True)
class Override:
    """What is served instead, by key: `entries` of a kind with canonical JSON, `variants` of flags, and what is `hidden`."""

    entries: Mapping[str, tuple[Kind, bytes]] = field(default_factory=dict)
    variants: Mapping[str, str] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()

    @property
    def keys(self) -> frozenset[str]:
        """All keys that it speaks of."""
        return frozenset((*self.entries, *self.variants, *self.hidden))


def read_override(text: bytes) -> Override:
    """Read the file's text: YAML, or JSON, which is a part of it. An empty one overrides nothing.

    Raises:
        OverrideError: it cannot be taken; all faults are told.
    """
    if len(text) > MAX_BYTES:
        msg = f"it has {len(text):,} bytes, the limit is {MAX_BYTES:,}"
        raise OverrideError(msg)
    try:
        return _override(read_yaml(text) if text.strip() else {})
    except (YamlRefusedError, DocumentError) as error:
        raise OverrideError(str(error)) from error


def _override(document: Json) -> Override:
    faults = Faults()
    parts = faults.members({} if document is None else document, "", _MEMBERS)
    entries = dict(_values(parts.get("values"), faults))
    for key, flag in _flags(parts.get("flags"), faults):
        _once(key, "/flags", entries, faults)
        entries[key] = flag
    variants = {
        key: faults.text(name, child("/variants", key), MAX_NAME)
        for key, name in _keyed(parts.get("variants"), "/variants", faults)
    }
    hidden = frozenset(_hidden(parts.get("hidden"), faults))
    for key in sorted({*variants, *hidden} & entries.keys() | hidden & variants.keys()):
        faults.add("", f"{key!r} is overridden in two ways; keep one of them")
    faults.refuse()
    return Override(entries, variants, hidden)


def _values(document: Json, faults: Faults) -> Iterator[tuple[str, tuple[Kind, bytes]]]:
    for key, value in _keyed(document, "/values", faults):
        try:
            yield key, (Kind.VALUE, canonical(value))
        except MalformedJsonError as error:
            faults.add(child("/values", key), str(error))


def _flags(document: Json, faults: Faults) -> Iterator[tuple[str, tuple[Kind, bytes]]]:
    for key, flag in _keyed(document, "/flags", faults):
        try:
            parse_flag(flag, key, child("/flags", key))
            yield key, (Kind.FLAG, canonical(flag))
        except DocumentError as error:
            faults.extend(error)


def _once(key: str, pointer: str, entries: Mapping[str, object], faults: Faults) -> None:
    if key in entries:
        faults.add(child(pointer, key), "is overridden by /values already; keep one of them")


def _keyed(document: Json, pointer: str, faults: Faults) -> Iterator[tuple[str, Json]]:
    """The members of a part, each by a key that can be one."""
    members = faults.members({} if document is None else document, pointer, None)
    if len(members) > MAX_KEYS:
        faults.add(pointer, f"has {len(members):,} keys, the limit is {MAX_KEYS:,}")
        return
    for key, value in members.items():
        if is_key(key):
            yield key, value
        else:
            faults.add(child(pointer, key), "is not a key: letters, digits, `_`, `.` and `-`, at most 255")


def _hidden(document: Json, faults: Faults) -> Iterator[str]:
    for index, key in enumerate([] if document in (None, []) else faults.items(document, "/hidden", MAX_KEYS)):
        if isinstance(key, str) and is_key(key):
            yield key
        else:
            faults.add(f"/hidden/{index}", "is not a key")

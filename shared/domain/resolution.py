"""Which entry an app/environment sees for each key: the most specific live one, unless a mask hides it.

And what that entry yields for whoever asks.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from shared.domain.context import EvaluationContext
from shared.domain.entry import Entry, Kind
from shared.domain.scope import Level

Entries: TypeAlias = Mapping[str, Entry]
"""The live entries of one scope by key."""


class Effective(NamedTuple):
    """The entry that answers for a key, and the level it comes from.

    `below` is what would answer if the entry were not there; it is given where the entry has nothing of its own.
    """

    level: Level
    entry: Entry
    below: "Effective | None" = None


class Reason(StrEnum):
    """Why a resolution is what it is: the words that OpenFeature has for it."""

    STATIC = "STATIC"
    """The entry has no rules: everybody gets the same."""


class Resolution(NamedTuple):
    """What an entry yields: canonical JSON (empty where a sensitive value was left out), its variant, and why."""

    value: bytes
    variant: str | None
    reason: Reason


def evaluate(effective: Effective, context: EvaluationContext) -> Resolution:
    """What the effective entry yields for this context. The one place where an entry and a context meet."""
    _ = context  # a plain value is the same for everybody
    return Resolution(effective.entry.value, None, Reason.STATIC)


def resolve(key: str, global_: Entries, app: Entries, environment: Entries) -> Effective | None:
    """The effective entry for one key, or None where no scope has it or the most specific one masks it."""
    found: Effective | None = None
    for level, entries in ((Level.GLOBAL, global_), (Level.APP, app), (Level.ENVIRONMENT, environment)):
        if (entry := entries.get(key)) is not None:
            found = over(found, level, entry)
    return found


def over(below: Effective | None, level: Level, entry: Entry) -> Effective | None:
    """What is effective once a more specific entry stands above what was."""
    if entry.kind is Kind.MASK:
        return None
    return Effective(level, entry, below if entry.kind is Kind.INHERIT else None)


def resolve_all(global_: Entries, app: Entries, environment: Entries) -> dict[str, Effective]:
    """Every effective entry by key, in the order of the keys."""
    merged: dict[str, Effective | None] = {}
    for level, entries in ((Level.GLOBAL, global_), (Level.APP, app), (Level.ENVIRONMENT, environment)):
        for key, entry in entries.items():
            merged[key] = over(merged.get(key), level, entry)
    return {key: found for key, found in sorted(merged.items()) if found is not None}


def scope_digest(entries: Iterable[Entry]) -> int:
    """The digest of a scope that holds exactly these entries; 0 for an empty one."""
    digest = 0
    for entry in entries:
        digest ^= entry.digest
    return digest

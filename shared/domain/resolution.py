"""Which entry an app/environment sees for each key: the most specific live one, unless a mask hides it.

And the words in which it is said what that yields for whoever asks.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from shared.domain.entry import Entry, Kind
from shared.domain.scope import Level

Entries: TypeAlias = Mapping[str, Entry]
"""The live entries of one scope by key."""


class Effective(NamedTuple):
    """The entry that answers for a key, and the level it comes from.

    `below` is what would answer if the entry were not there; it is given where the entry has nothing of its own. `local`:
    it stands in no scope, but in the override file of one agent.
    """

    level: Level
    entry: Entry
    below: "Effective | None" = None
    local: bool = False


class Reason(StrEnum):
    """Why a resolution is what it is: the words that OpenFeature has for it."""

    STATIC = "STATIC"
    """There are no rules: everybody gets the same."""
    DEFAULT = "DEFAULT"
    """There are rules or a rollout, and none of them let this one in."""
    TARGETING_MATCH = "TARGETING_MATCH"
    """A rule, or a rollout's audience or window, let this one in."""
    SPLIT = "SPLIT"
    """The bucket decided."""
    DISABLED = "DISABLED"
    """The flag is off."""
    UNKNOWN = "UNKNOWN"
    """The value was left out, so nothing can be said about it."""
    ERROR = "ERROR"
    """There is no usable value; the error code says why."""


class ErrorCode(StrEnum):
    """What went wrong, in OpenFeature's words. Unless the reason is ERROR too, the value can be used nevertheless."""

    FLAG_NOT_FOUND = "FLAG_NOT_FOUND"
    PARSE_ERROR = "PARSE_ERROR"
    """The entry cannot be understood, in whole or in part: a newer program wrote it."""
    TYPE_MISMATCH = "TYPE_MISMATCH"
    TARGETING_KEY_MISSING = "TARGETING_KEY_MISSING"
    """The unit that is bucketed is not in the context."""
    INVALID_CONTEXT = "INVALID_CONTEXT"
    PROVIDER_NOT_READY = "PROVIDER_NOT_READY"
    GENERAL = "GENERAL"
    """A rule refers to what is not there or refers back to itself."""


class Arm(StrEnum):
    """The two sides of a rollout."""

    CANDIDATE = "candidate"
    BASELINE = "baseline"


@dataclass(frozen=True, slots=True, eq=False)
class Resolution:
    """What a config yields: canonical JSON (empty where a sensitive value was left out), its variant, and why.

    There is one object for each possible outcome, made when the entry is compiled and compared by identity, so that
    whoever serves it can keep the bytes of its answer beside it. `effective` is the entry that the value comes from;
    `rollout` and `arm` say which rollout decided, and for which side.
    """

    value: bytes
    variant: str | None
    reason: Reason
    error: ErrorCode | None
    effective: Effective
    rollout: str | None = None
    arm: Arm | None = None


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

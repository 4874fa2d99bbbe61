"""References to secrets that are kept elsewhere: how they are written in a value, and how what they stand for takes their place.

`{"$secret": {"provider": "vault", "path": "billing/db", "field": "password"}}` may stand wherever a value has a value. It
is no secret itself; only the agent looks up what it stands for, with its own identity.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from shared.domain.codec import Json
from shared.domain.document import DocumentError, Fault, Faults, child

MEMBER = "$secret"
"""The only member of an object that is a reference; no other object may have it."""
MAX_REFERENCES = 32
"""References in one config."""
MAX_TEXT = 512
"""Characters of any member of a reference."""
MAX_VERSION = 1_000_000_000

_MARK = f'"{MEMBER}"'.encode()
_PATH = re.compile(r"[A-Za-z0-9_@.~-]+(?:/[A-Za-z0-9_@.~-]+)*")
_ID = re.compile(r"[A-Za-z0-9/_+=.@:-]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STAGE = re.compile(r"[A-Za-z0-9_+=.@-]+")
_DOTS = frozenset({".", ".."})


class Provider(StrEnum):
    """Where secrets may be kept."""

    VAULT = "vault"
    AWS = "aws-secretsmanager"
    FILE = "file"
    ENV = "env"


class Engine(StrEnum):
    """How Vault gives a secret out."""

    KV = "kv-v2"
    """It is stored there, in versions."""
    DYNAMIC = "dynamic"
    """It is made for whoever asks, and lent for a while."""


Source: TypeAlias = tuple[tuple[str, str], ...]
"""What is fetched at once: a provider and what it is asked for. References to several fields of it share it."""


@dataclass(frozen=True, slots=True)
class SecretReference:
    """One reference: the source, and the field of what comes from there; empty where all of it is meant."""

    source: Source
    field: str

    @property
    def provider(self) -> str:
        """Where it is kept."""
        return dict(self.source)["provider"]


_MEMBERS = {
    Provider.VAULT: ("engine", "mount", "path", "version"),
    Provider.AWS: ("id", "stage"),
    Provider.FILE: ("path",),
    Provider.ENV: ("name",),
}
_REQUIRED = {Provider.VAULT: "path", Provider.AWS: "id", Provider.FILE: "path", Provider.ENV: "name"}


def mentions(value: bytes) -> bool:
    """Whether a value (JSON) may hold a reference: quick, and only ever wrong by saying so."""
    return _MARK in value


def references(value: Json, pointer: str = "") -> Iterator[tuple[str, Json]]:
    """Every reference in a value as it stands there, with its place; what is inside of one is not looked at."""
    if isinstance(value, dict):
        if MEMBER in value:
            yield pointer, value
            return
        for name, each in value.items():
            yield from references(each, child(pointer, name))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from references(each, child(pointer, index))


def reference_faults(value: Json, pointer: str = "") -> list[Fault]:
    """What is wrong with the references in a value, if anything."""
    found = list(references(value, pointer))
    if len(found) > MAX_REFERENCES:
        return [Fault(pointer, f"has {len(found):,} references to secrets, the limit is {MAX_REFERENCES}")]
    faults: list[Fault] = []
    for place, each in found:
        try:
            parse_reference(each, place)
        except DocumentError as error:
            faults.extend(error.faults)
    return faults


def substituted(value: Json, look_up: Callable[[Json], Json]) -> Json:
    """The value with what each reference stands for in its place. What `look_up` raises ends it."""
    if isinstance(value, dict):
        if MEMBER in value:
            return look_up(value)
        return {name: substituted(each, look_up) for name, each in value.items()}
    if isinstance(value, list):
        return [substituted(each, look_up) for each in value]
    return value


def parse_reference(document: Json, pointer: str = "") -> SecretReference:
    """Read one reference.

    Raises:
        DocumentError: it is none; all that is wrong is told.
    """
    faults = Faults()
    if isinstance(document, dict) and len(document) > 1:
        faults.add(pointer, f"{MEMBER} stands alone: an object that has it is a reference, and nothing else")
    pointer = child(pointer, MEMBER)
    given = document.get(MEMBER) if isinstance(document, dict) else None
    members = faults.members(given, pointer, None)
    provider = faults.choice(members.get("provider"), child(pointer, "provider"), [each.value for each in Provider])
    faults.refuse()
    known = Provider(provider)
    faults.members(given, pointer, ("provider", "field", *_MEMBERS[known]))
    if _REQUIRED[known] not in members:
        faults.add(child(pointer, _REQUIRED[known]), f"is missing; {known} needs it")
    read = _Members(members, pointer, faults)
    source = tuple((name, text) for name in _MEMBERS[known] if (text := read.member(known, name)))
    field = faults.text(members["field"], child(pointer, "field"), MAX_TEXT) if "field" in members else ""
    faults.refuse()
    return SecretReference((("provider", known.value), *source), field)


@dataclass(frozen=True, slots=True)
class _Members:
    """The members of one reference, by what they have to look like."""

    members: Mapping[str, Json]
    pointer: str
    faults: Faults

    def member(self, provider: Provider, name: str) -> str:
        """One of them as a text; empty where it is not given, or wrong."""
        if name not in self.members:
            return ""
        given, place = self.members[name], child(self.pointer, name)
        if name == "version":
            return str(self.faults.number(given, place, MAX_VERSION) or "")
        if name == "engine":
            return self.faults.choice(given, place, [each.value for each in Engine])
        text = self.faults.text(given, place, MAX_TEXT)
        if text and not _FORMS[name].fullmatch(text):
            self.faults.add(place, _HINTS.get(name, f"is no {name} of {provider}"))
        elif text and not _DOTS.isdisjoint(text.split("/")):
            self.faults.add(place, "has a part that is `.` or `..`; name the secret itself")
        return text


_FORMS = {"path": _PATH, "mount": _PATH, "id": _ID, "stage": _STAGE, "name": _VARIABLE}
_HINTS = {
    "path": "is no path; give it without a slash at its ends, of letters, digits and `_ @ . ~ -`, as billing/db",
    "mount": "is no mount; give it as secret or teams/billing",
    "id": "is neither a secret's name nor its ARN",
    "name": "is no name of a variable",
}

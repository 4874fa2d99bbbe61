"""How far a grant reaches: everything, an application, an environment, or some keys in it."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Self

from shared.domain.scope import Scope, is_name

ANY = "*"
MAX_STARS = 4
"""In the pattern of keys, so that matching stays cheap."""
_GLOBAL = "global"
_KEYS = re.compile(r"[A-Za-z0-9_*][A-Za-z0-9_.*-]{0,254}")
_FORMS = "global, <app>, <app>/<environment> or <app>/<environment>/<keys>, such as billing/prod/db.*; * is any app or environment"


@dataclass(frozen=True, slots=True)
class Place:
    """What an act is about: the installation, an application, an environment, or one config of a scope."""

    app_id: str | None = None
    environment: str | None = None
    key: str | None = None

    @classmethod
    def of(cls, scope: Scope, key: str | None = None) -> Self:
        """A scope, or a config in it."""
        return cls(scope.app_id, scope.environment, key)

    def __str__(self) -> str:
        """As people write it."""
        parts = [self.app_id or _GLOBAL]
        parts += [self.environment] if self.environment else []
        return "/".join(parts) if self.key is None else f"{self.key} in {'/'.join(parts)}"


EVERYWHERE = Place()
"""The installation as a whole: what belongs to no application."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a grant holds. All None: everywhere. `*` stands for any application, any environment, any part of a key."""

    app_id: str | None = None
    environment: str | None = None
    keys: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the spelling that `str()` writes.

        Raises:
            ValueError: it is none of the forms.
        """
        if text == _GLOBAL:
            return cls()
        app, *rest = text.split("/")
        if len(rest) <= len(("environment", "keys")) and all(map(_is_part, (app, *rest[:1]))) and _are_keys(rest[1:]):
            return cls(app, *rest)
        msg = f"{text[:100]!r} is not a reach: {_FORMS}"
        raise ValueError(msg)

    def __str__(self) -> str:
        """Its one spelling."""
        return "/".join(each for each in (self.app_id, self.environment, self.keys) if each) or _GLOBAL

    @property
    def is_global(self) -> bool:
        """Whether it holds everywhere."""
        return self.app_id is None

    def covers(self, place: Place) -> bool:
        """Whether all of the place lies within it."""
        if self.app_id is None:
            return True
        if place.app_id is None or not _fits(self.app_id, place.app_id):
            return False
        if self.environment is None:
            return True
        if place.environment is None or not _fits(self.environment, place.environment):
            return False
        return self.keys is None or (place.key is not None and fnmatchcase(place.key, self.keys))

    def touches(self, place: Place) -> bool:
        """Whether something of the place lies within it: of an application, one of its environments is enough."""
        if self.app_id is None or place.app_id is None:
            return True
        if not _fits(self.app_id, place.app_id):
            return False
        if self.environment is None or place.environment is None:
            return place.key is None or self.environment is None
        if not _fits(self.environment, place.environment):
            return False
        return self.keys is None or place.key is None or fnmatchcase(place.key, self.keys)

    def contains(self, other: "Reach") -> bool:
        """Whether it covers whatever the other one covers."""
        if self.app_id is None:
            return True
        if other.app_id is None or self.app_id not in {ANY, other.app_id}:
            return False
        if self.environment is None:
            return True
        if other.environment is None or self.environment not in {ANY, other.environment}:
            return False
        return self.keys is None or (other.keys is not None and fnmatchcase(other.keys, self.keys))


GLOBAL = Reach()
"""Everywhere."""


def _fits(pattern: str, name: str) -> bool:
    return pattern in (ANY, name)


def _is_part(text: str) -> bool:
    return text == ANY or is_name(text)


def _are_keys(rest: list[str]) -> bool:
    return all(_KEYS.fullmatch(each) is not None and each.count(ANY) <= MAX_STARS for each in rest)

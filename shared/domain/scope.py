"""Where a config stands: the hierarchy global < app < environment, and the names allowed in it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple, Self

NAME_PATTERN = r"[a-z0-9][a-z0-9-]{0,62}"
"""What an application's or an environment's name looks like (a DNS label in lower case)."""

KEY_PATTERN = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}"
"""What a config's key looks like: no slash, so that it is always one segment of a path."""

_NAME = re.compile(NAME_PATTERN)
_KEY = re.compile(KEY_PATTERN)


def is_name(text: str) -> bool:
    """Whether `text` may name an application or an environment."""
    return _NAME.fullmatch(text) is not None


def is_key(text: str) -> bool:
    """Whether `text` may be a config's key."""
    return _KEY.fullmatch(text) is not None


class Level(StrEnum):
    """The three levels, from the least specific to the most specific."""

    GLOBAL = "global"
    APP = "app"
    ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """One place in the hierarchy. An environment never stands without its application."""

    app_id: str | None = None
    environment: str | None = None

    def __post_init__(self) -> None:
        if self.environment is not None and self.app_id is None:
            msg = "an environment belongs to an application: give app_id as well"
            raise ValueError(msg)

    @property
    def level(self) -> Level:
        """How specific this scope is."""
        if self.app_id is None:
            return Level.GLOBAL
        return Level.APP if self.environment is None else Level.ENVIRONMENT

    def __str__(self) -> str:
        """The scope's one spelling in messages, routing keys and logs: `global`, `app.billing`, `env.billing.prod`."""
        if self.app_id is None:
            return "global"
        if self.environment is None:
            return f"app.{self.app_id}"
        return f"env.{self.app_id}.{self.environment}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the spelling that `str()` writes.

        Raises:
            ValueError: it is none of the three forms, or a name in it is not allowed.
        """
        match text.split("."):
            case ["global"]:
                return cls()
            case ["app", app] if is_name(app):
                return cls(app)
            case ["env", app, environment] if is_name(app) and is_name(environment):
                return cls(app, environment)
            case _:
                pass
        msg = f"{text!r} is not a scope: global, app.<app> or env.<app>.<environment>"
        raise ValueError(msg)


class Lineage(NamedTuple):
    """The three scopes that one app/environment sees, least specific first."""

    global_: Scope
    app: Scope
    environment: Scope

    @classmethod
    @lru_cache(maxsize=4096)
    def of(cls, app_id: str, environment: str) -> Self:
        """The lineage of one app/environment. The same ones are asked for again and again."""
        return cls(Scope(), Scope(app_id), Scope(app_id, environment))


class Revisions(NamedTuple):
    """The last revision that touched each scope of a lineage; 0 where nothing ever did."""

    global_: int = 0
    app: int = 0
    environment: int = 0

    @property
    def latest(self) -> int:
        """The revision of the whole snapshot: that of the last change that touched any of its scopes."""
        return max(self)

    def covers(self, other: "Revisions") -> bool:
        """Whether no scope is behind `other`: the one order in which an agent may move."""
        return all(mine >= theirs for mine, theirs in zip(self, other, strict=True))

    def by_level(self) -> Iterator[tuple[str, int]]:
        """Pair each level's name with its revision."""
        return ((level.value, revision) for level, revision in zip(Level, self, strict=True))

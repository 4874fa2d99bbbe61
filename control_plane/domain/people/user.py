"""A person's account: with a password of this installation's, or known to the company's identity provider."""

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

NAME_PATTERN = r"[a-z0-9][a-z0-9._@+-]{0,126}"
_NAME = re.compile(NAME_PATTERN)
PREFIX = "user:"
"""What the id of a person begins with, wherever others than people can stand as well."""


def is_user_name(text: str) -> bool:
    """Whether a person may have this name."""
    return _NAME.fullmatch(text) is not None


def subject_of(name: str) -> str:
    """The person as records and bindings spell it."""
    return PREFIX + name


def group_subject(group: str) -> str:
    """A group of the identity provider's as bindings spell it."""
    return f"group:{group}"


@dataclass(frozen=True, slots=True)
class User:
    """An account. `generation` counts the times at which all its sessions were ended."""

    id: UUID
    name: str
    display_name: str
    external: bool
    generation: int
    created_at: datetime
    created_by: str
    disabled_at: datetime | None = None
    password_changed_at: datetime | None = None
    last_login_at: datetime | None = None

    @property
    def subject(self) -> str:
        """How records and bindings spell it."""
        return subject_of(self.name)


@dataclass(frozen=True, slots=True)
class NewUser:
    """An account that is asked for."""

    name: str
    display_name: str


@dataclass(frozen=True, slots=True)
class Identified:
    """Who somebody is by the word of an identity provider."""

    issuer: str
    subject: str
    name: str
    display_name: str = ""
    groups: tuple[str, ...] = ()
    session: str = ""
    """The provider's own session, by which it can end ours."""

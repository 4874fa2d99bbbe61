"""What is searched for in configs, and what is found."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from shared.domain.entry import Kind
from shared.domain.scope import Scope


class SearchField(StrEnum):
    """What of a config is looked into."""

    KEY = "key"
    VALUE = "value"
    """As compact JSON, so with the names of its members. Never that of a sensitive config."""
    DESCRIPTION = "description"
    OWNER = "owner"
    LABEL = "label"
    """Names and values."""


@dataclass(frozen=True, slots=True)
class Search:
    """Words that must all be found, wherever in the given fields, in upper or lower case."""

    words: tuple[str, ...]
    fields: frozenset[SearchField] = frozenset(SearchField)
    app_id: str | None = None
    environment: str | None = None
    kind: Kind | None = None
    include_archived: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A config in which everything was found; `matches` has for each field with a word the text around it."""

    id: UUID
    scope: Scope
    key: str
    kind: Kind
    sensitive: bool
    owner: str
    version: int
    revision: int
    updated_at: datetime
    updated_by: str
    matches: Mapping[SearchField, str]

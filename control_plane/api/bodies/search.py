"""Searching: what for and in what, and what was found where."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Self, TypeAlias
from uuid import UUID

from pydantic import AfterValidator, Field

from control_plane.api.bodies.fields import Name, without_nul
from control_plane.api.bodies.pages import PageQuery
from control_plane.domain.search import Found, Search, SearchField
from shared.domain.entry import Kind
from shared.domain.scope import Level

MAX_QUERY = 500
MAX_WORDS = 10
_FIELDS = ",".join(SearchField)


def _words(text: str) -> str:
    if not 1 <= len(text.split()) <= MAX_WORDS:
        msg = f"a search has 1 to {MAX_WORDS} words"
        raise ValueError(msg)
    return without_nul(text)


def _fields(text: str) -> str:
    if unknown := sorted(set(text.split(",")) - set(SearchField)):
        msg = f"{unknown[0]!r} is none of {_FIELDS}"
        raise ValueError(msg)
    return text


Words: TypeAlias = Annotated[str, AfterValidator(_words), Field(max_length=MAX_QUERY, examples=["pool timeout"])]
Fields: TypeAlias = Annotated[str, AfterValidator(_fields), Field(max_length=MAX_QUERY)]


class SearchQuery(PageQuery):
    """What to search for."""

    q: Words
    """Words that must all be found, in upper or lower case, also in the middle of others."""
    in_: Annotated[Fields, Field(alias="in")] = _FIELDS
    """In which fields, separated by commas."""
    app_id: Name | None = None
    """Of this application."""
    environment: Name | None = None
    """Of environments of this name."""
    kind: Kind | None = None
    """Of this kind."""
    include_archived: bool = False
    """Whether to search archived applications and environments as well."""

    def search(self) -> Search:
        """The search as the domain knows it."""
        return Search(
            words=tuple(self.q.split()),
            fields=frozenset(map(SearchField, self.in_.split(","))),
            app_id=self.app_id,
            environment=self.environment,
            kind=self.kind,
            include_archived=self.include_archived,
        )


@dataclass(frozen=True, slots=True)
class FoundView:
    """A config that was found. `matches` has for each field in which a word stands the text around it."""

    id: UUID
    app_id: str | None
    environment: str | None
    scope: Level
    key: str
    kind: Kind
    sensitive: bool
    owner: str
    version: int
    revision: int
    updated_at: datetime
    updated_by: str
    matches: Mapping[str, str]

    @classmethod
    def of(cls, found: Found) -> Self:
        """Show what was found."""
        scope = found.scope
        return cls(
            id=found.id,
            app_id=scope.app_id,
            environment=scope.environment,
            scope=scope.level,
            key=found.key,
            kind=found.kind,
            sensitive=found.sensitive,
            owner=found.owner,
            version=found.version,
            revision=found.revision,
            updated_at=found.updated_at,
            updated_by=found.updated_by,
            matches={str(field): around for field, around in found.matches.items()},
        )

"""Applications, environments and the tokens of their agents."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from control_plane.api.bodies.fields import Body, Name, Query, Text
from control_plane.api.bodies.pages import PageQuery, Param
from control_plane.domain.change import AgentToken, App, Deleted


class NewApp(Body):
    """An application to register."""

    app_id: Name
    """Its name; it cannot be changed later."""
    description: Text = ""
    """For people."""


class NewEnvironment(Body):
    """An environment to register."""

    environment: Name
    """Its name; it cannot be changed later."""


class AppUpdate(Body):
    """What is said about an application."""

    description: Text
    """For people."""


class Archival(Body):
    """What to archive, typed once more."""

    confirm: Param = ""
    """The name of what is archived: `billing`, or `billing/prod`."""
    force: bool = False
    """Archive it although agents are live there."""


class DeletionQuery(Query):
    """What to delete, typed once more."""

    confirm: Param = ""
    """The name of what is deleted: `billing`, or `billing/prod`."""
    force: bool = False
    """Delete it although it is not archived, or agents are live there."""
    message: Text = ""
    """Why, for the record of changes."""


class AppQuery(PageQuery):
    """Which applications or environments."""

    include_archived: bool = False
    """Whether to list archived ones as well."""


class NewAgentToken(Body):
    """A token to make."""

    description: Text = ""
    """For whom it is, so that it can be recognised when it is to be revoked."""


@dataclass(frozen=True, slots=True)
class AppView:
    """A registered application and its environments. `archived_at` is null while it is in use."""

    app_id: str
    description: str
    environments: tuple[str, ...]
    created_at: datetime
    archived_at: datetime | None
    archived_environments: tuple[str, ...]

    @classmethod
    def of(cls, app: App) -> Self:
        """Show an application."""
        return cls(
            app.app_id, app.description, app.environments, app.created_at, app.archived_at, app.archived_environments
        )


@dataclass(frozen=True, slots=True)
class EnvironmentView:
    """A registered environment. `archived`: itself; that of its application is another matter."""

    app_id: str
    environment: str
    archived: bool


@dataclass(frozen=True, slots=True)
class DeletionView:
    """What went. `revision` is that of the change that took its `entries` away; null if it had none."""

    app_id: str
    environment: str | None
    revision: int | None
    entries: int
    environments: tuple[str, ...]
    agent_tokens: int

    @classmethod
    def of(cls, deleted: Deleted) -> Self:
        """Show a deletion."""
        scope = deleted.scope
        return cls(
            scope.app_id or "",
            scope.environment,
            deleted.revision,
            deleted.entries,
            deleted.environments,
            deleted.tokens,
        )


@dataclass(frozen=True, slots=True)
class AgentTokenView:
    """An agent token without its secret."""

    id: UUID
    app_id: str
    environment: str
    description: str
    created_at: datetime
    created_by: str

    @classmethod
    def of(cls, token: AgentToken) -> Self:
        """Show a token."""
        return cls(token.id, token.app_id, token.environment, token.description, token.created_at, token.created_by)


@dataclass(frozen=True, slots=True)
class NewAgentTokenView:
    """A token just made. `token` is the secret; it is shown this once and kept nowhere."""

    id: UUID
    app_id: str
    environment: str
    description: str
    token: str

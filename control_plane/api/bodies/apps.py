"""Applications, environments and the tokens of their agents."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from control_plane.api.bodies.fields import Body, Name, Text
from control_plane.domain.change import AgentToken, App


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


class NewAgentToken(Body):
    """A token to make."""

    description: Text = ""
    """For whom it is, so that it can be recognised when it is to be revoked."""


@dataclass(frozen=True, slots=True)
class AppView:
    """A registered application and its environments."""

    app_id: str
    description: str
    environments: tuple[str, ...]
    created_at: datetime

    @classmethod
    def of(cls, app: App) -> Self:
        """Show an application."""
        return cls(app.app_id, app.description, app.environments, app.created_at)


@dataclass(frozen=True, slots=True)
class EnvironmentView:
    """A registered environment."""

    app_id: str
    environment: str


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

"""Applications and environments."""

from typing import Protocol

from control_plane.domain.attribution import Attribution
from control_plane.domain.change import App, Deleted
from control_plane.ports.pages import Page
from shared.domain.codec import Json
from shared.domain.scope import Scope


class Registry(Protocol):
    """Applications and environments. What is registered is attributed and audited."""

    async def create_app(self, app_id: str, description: str, by: Attribution) -> App:
        """Register an application.

        Raises:
            ConflictError: it is registered already.
        """
        ...

    async def get_app(self, app_id: str) -> App:
        """One application with its environments.

        Raises:
            NotFoundError: it is not registered.
        """
        ...

    async def list_apps(self, *, limit: int, cursor: str | None, include_archived: bool = True) -> Page[App]:
        """Applications by name."""
        ...

    async def describe_app(self, app_id: str, description: str, by: Attribution) -> App:
        """Give an application another description.

        Raises:
            NotFoundError: it is not registered.
        """
        ...

    async def archive(self, scope: Scope, by: Attribution, **detail: Json) -> App:
        """Put an application or an environment away: it is served as ever, and nothing is written to it.

        `detail` is kept in the audit record.

        Raises:
            NotFoundError: it is not registered.
        """
        ...

    async def unarchive(self, scope: Scope, by: Attribution) -> App:
        """Bring an archived application or environment back.

        Raises:
            NotFoundError: it is not registered.
        """
        ...

    async def delete(self, scope: Scope, message: str, by: Attribution, **detail: Json) -> Deleted:
        """Delete an application or an environment: its entries by one change, its registration and its tokens.

        All of it or nothing. Where `detail` says that it is `forced`, it need not be archived before.

        Raises:
            NotFoundError: it is not registered.
            ConflictError: it is not archived.
        """
        ...

    async def create_environment(self, app_id: str, environment: str, by: Attribution) -> App:
        """Register an environment of an application and return the application.

        Raises:
            NotFoundError: the application is not registered.
            ConflictError: the environment is registered already.
        """
        ...

    async def environments(self, limit: int) -> list[tuple[str, str]]:
        """All app/environment pairs, at most `limit`; for warming caches."""
        ...

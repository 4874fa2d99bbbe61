"""Applications and environments (port `Registry`)."""

import asyncpg

from control_plane.domain.attribution import Attribution
from control_plane.domain.change import App
from control_plane.domain.errors import ConflictError, NotFoundError
from control_plane.ports import Page
from control_plane.postgres.cursors import page, read_cursor
from control_plane.postgres.pool import fetch, fetch_row
from control_plane.postgres.queries import sql
from control_plane.postgres.reads import Reads
from control_plane.postgres.rows import app, attributed

_CREATE_APP = sql("create_app")
_CREATE_ENVIRONMENT = sql("create_environment")
_GET_APP = sql("get_app")
_LIST_APPS = sql("list_apps")
_ENVIRONMENTS = sql("environments")
_IS_REGISTERED = sql("is_registered")
_APPLICATION = "application"


async def not_registered(pool: asyncpg.Pool, app_id: str, environment: str) -> NotFoundError:
    """The error that names which of the two is missing."""
    row = await fetch_row(pool, _IS_REGISTERED, app_id, environment)
    if row is not None and row["app"]:
        return NotFoundError("environment", f"{app_id}/{environment}")
    return NotFoundError(_APPLICATION, app_id)


class PostgresRegistry:
    """Registers applications and environments; each act is audited in the same transaction."""

    def __init__(self, pool: asyncpg.Pool, reads: Reads | None = None) -> None:
        self._pool, self._reads = pool, reads or Reads(pool)

    async def create_app(self, app_id: str, description: str, by: Attribution) -> App:
        """Register an application."""
        row = await fetch_row(self._pool, _CREATE_APP, app_id, description, attributed(by))
        if row is None:
            msg = f"The application {app_id!r} is registered already."
            raise ConflictError(msg, app_id=app_id)
        return app(row)

    async def get_app(self, app_id: str) -> App:
        """One application with its environments."""
        row = await fetch_row(self._pool, _GET_APP, app_id)
        if row is None:
            raise NotFoundError(_APPLICATION, app_id)
        return app(row)

    async def list_apps(self, *, limit: int, cursor: str | None) -> Page[App]:
        """Applications by name."""
        (after,) = read_cursor(cursor, [""])
        rows = await self._reads.fetch(_LIST_APPS, after, limit + 1)
        return page(rows, limit, app, "app_id")

    async def create_environment(self, app_id: str, environment: str, by: Attribution) -> App:
        """Register an environment of an application and return the application."""
        created = await fetch_row(self._pool, _CREATE_ENVIRONMENT, app_id, environment, attributed(by))
        found = await self.get_app(app_id)
        if created is None:
            msg = f"The environment {app_id}/{environment} is registered already."
            raise ConflictError(msg, app_id=app_id, environment=environment)
        return found

    async def environments(self, limit: int) -> list[tuple[str, str]]:
        """All app/environment pairs, at most `limit`, those that changed last first."""
        return [(row["app_id"], row["environment"]) for row in await fetch(self._pool, _ENVIRONMENTS, limit)]

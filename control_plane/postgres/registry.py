"""Applications and environments (port `Registry`)."""

import asyncpg

from control_plane.domain.attribution import Attribution
from control_plane.domain.change import App, Deleted
from control_plane.domain.errors import ConflictError, NotFoundError
from control_plane.ports.pages import Page
from control_plane.postgres.cursors import page, read_cursor
from control_plane.postgres.errors import refusal
from control_plane.postgres.pool import fetch, fetch_row
from control_plane.postgres.queries import sql
from control_plane.postgres.reads import Reads
from control_plane.postgres.rows import app, attributed
from shared.domain.codec import Json, decode, encode
from shared.domain.scope import Scope

_CREATE_APP = sql("create_app")
_CREATE_ENVIRONMENT = sql("create_environment")
_GET_APP = sql("get_app")
_LIST_APPS = sql("list_apps")
_DESCRIBE_APP = sql("describe_app")
_ARCHIVE = sql("archive")
_DELETE = sql("delete_registration")
_ENVIRONMENTS = sql("environments")
_IS_REGISTERED = sql("is_registered")
_APPLICATION = "application"
_PERHAPS_DELETED = (
    "the connection was lost while it was deleted, so all of it may or may not be gone: look, or ask again"
)


async def not_registered(pool: asyncpg.Pool, app_id: str, environment: str) -> NotFoundError:
    """The error that names which of the two is missing."""
    row = await fetch_row(pool, _IS_REGISTERED, app_id, environment)
    if row is not None and row["app"]:
        return NotFoundError("environment", f"{app_id}/{environment}")
    return NotFoundError(_APPLICATION, app_id)


def _taken(name: str, *, away: bool, **facts: Json) -> ConflictError:
    if away:
        return ConflictError(f"{name} is archived, or belongs to what is: unarchive or delete that first.", **facts)
    return ConflictError(f"{name} is registered already.", **facts)


class PostgresRegistry:
    """Registers applications and environments; each act is audited in the same transaction."""

    def __init__(self, pool: asyncpg.Pool, reads: Reads | None = None) -> None:
        self._pool, self._reads = pool, reads or Reads(pool)

    async def create_app(self, app_id: str, description: str, by: Attribution) -> App:
        """Register an application."""
        row = await fetch_row(self._pool, _CREATE_APP, app_id, description, attributed(by))
        if row is None:
            away = (await self.get_app(app_id)).archived_at is not None
            name = f"The application {app_id!r}"
            raise _taken(name, away=away, app_id=app_id)
        return app(row)

    async def get_app(self, app_id: str) -> App:
        """One application with its environments."""
        row = await fetch_row(self._pool, _GET_APP, app_id)
        if row is None:
            raise NotFoundError(_APPLICATION, app_id)
        return app(row)

    async def list_apps(self, *, limit: int, cursor: str | None, include_archived: bool = True) -> Page[App]:
        """Applications by name."""
        (after,) = read_cursor(cursor, [""])
        rows = await self._reads.fetch(_LIST_APPS, after, limit + 1, include_archived)
        return page(rows, limit, app, "app_id")

    async def describe_app(self, app_id: str, description: str, by: Attribution) -> App:
        """Give an application another description."""
        await fetch(self._pool, _DESCRIBE_APP, app_id, description, attributed(by))
        return await self.get_app(app_id)

    async def archive(self, scope: Scope, by: Attribution, **detail: Json) -> App:
        """Put an application or an environment away."""
        return await self._archive(scope, by, detail, away=True)

    async def unarchive(self, scope: Scope, by: Attribution) -> App:
        """Bring an archived application or environment back."""
        return await self._archive(scope, by, {}, away=False)

    async def _archive(self, scope: Scope, by: Attribution, detail: Json, *, away: bool) -> App:
        app_id, environment = scope.app_id or "", scope.environment or ""
        rows = await fetch(self._pool, _ARCHIVE, app_id, environment, away, encode(detail).decode(), attributed(by))
        if not rows[0][0]:
            raise await not_registered(self._pool, app_id, environment)
        return await self.get_app(app_id)

    async def delete(self, scope: Scope, message: str, by: Attribution, **detail: Json) -> Deleted:
        """Delete an application or an environment: all of it or nothing, in one statement and so one transaction."""
        rows = await fetch(
            self._pool,
            _DELETE,
            scope.app_id or "",
            scope.environment or "",
            message,
            encode(detail).decode(),
            attributed(by),
            in_flight=_PERHAPS_DELETED,
        )
        gone = decode(rows[0][0])
        if (state := gone.get("state")) is not None:
            raise refusal(state, gone["detail"])
        return Deleted(scope, gone.get("revision"), gone["entries"], tuple(gone["environments"]), gone["tokens"])

    async def create_environment(self, app_id: str, environment: str, by: Attribution) -> App:
        """Register an environment of an application and return the application."""
        created = await fetch_row(self._pool, _CREATE_ENVIRONMENT, app_id, environment, attributed(by))
        found = await self.get_app(app_id)
        if created is None:
            away = found.archived_at is not None or environment in found.archived_environments
            name = f"The environment {app_id}/{environment}"
            raise _taken(name, away=away, app_id=app_id, environment=environment)
        return found

    async def environments(self, limit: int) -> list[tuple[str, str]]:
        """All app/environment pairs, at most `limit`, those that changed last first."""
        return [(row["app_id"], row["environment"]) for row in await fetch(self._pool, _ENVIRONMENTS, limit)]

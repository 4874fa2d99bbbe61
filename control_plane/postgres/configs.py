"""The current entries and their versions (port `Configs`). Only `snapshot` and `value` give sensitive values out."""

from uuid import UUID

import asyncpg

from control_plane.domain.change import Config, ConfigVersion
from control_plane.domain.errors import InvalidError, NotFoundError
from control_plane.ports.configs import ConfigFilter
from control_plane.ports.pages import Page
from control_plane.postgres.cursors import BEFORE_ALL, page, read_cursor
from control_plane.postgres.pool import fetch_row
from control_plane.postgres.queries import sql
from control_plane.postgres.reads import Reads
from control_plane.postgres.registry import not_registered
from control_plane.postgres.rows import config, config_version, snapshot_item
from control_plane.postgres.sealing.seals import Seals
from shared.domain.codec import encode
from shared.domain.scope import Level, Revisions, Scope
from shared.wire.problem import Violation
from shared.wire.snapshot import SnapshotDocument

_GET = sql("get_config")
_LIST = sql("list_configs")
_VALUE = sql("config_value")
_VERSIONS = sql("config_versions")
_SNAPSHOT = sql("snapshot")
_KIND = "config"
_LEVELS = frozenset(Level)


class PostgresConfigs:
    """Reads what stands in the scopes."""

    def __init__(self, pool: asyncpg.Pool, seals: Seals, reads: Reads | None = None) -> None:
        self._pool, self._seals, self._reads = pool, seals, reads or Reads(pool)

    async def get(self, config_id: UUID) -> Config:
        """One config by id, deleted ones too."""
        row = await fetch_row(self._pool, _GET, config_id)
        if row is None:
            raise NotFoundError(_KIND, str(config_id))
        return config(row)

    async def list(self, where: ConfigFilter, *, limit: int, cursor: str | None) -> Page[Config]:
        """Configs in the order of application, environment and key."""
        position = read_cursor(cursor, ["", "", ""])
        narrowed = _narrow(where)
        if narrowed is None:
            return Page((), None)
        rows = await self._reads.fetch(
            _LIST,
            *position,
            *narrowed,
            where.prefix,
            where.text,
            where.include_deleted,
            limit + 1,
            where.owner,
            list(where.labels),
            encode({name: value for name, value in where.labels.items() if value is not None}).decode(),
            where.include_archived,
            where.kind,
        )
        return page(rows, limit, config, "app_id", "environment", "key")

    async def value(self, config_id: UUID, version: int) -> bytes:
        """What one version of a config holds, a secret too: to be put again, never to be shown."""
        row = await fetch_row(self._pool, _VALUE, config_id, version)
        if row is None:
            raise NotFoundError(_KIND, f"{config_id} at version {version}")
        return (await self._seals.opening([row], "value")).value(row)

    async def versions(self, config_id: UUID, *, limit: int, cursor: str | None) -> Page[ConfigVersion]:
        """The versions of one config, newest first."""
        (before,) = read_cursor(cursor, [BEFORE_ALL])
        rows = await self._reads.fetch(_VERSIONS, config_id, before, limit + 1)
        if not rows:
            await self.get(config_id)
        return page(rows, limit, config_version, "version")

    async def snapshot(self, app_id: str, environment: str, since: Revisions | None) -> SnapshotDocument:
        """What an app/environment sees, or what changed in it since, read in one instant. Sensitive values included."""
        rows = await self._reads.fetch(_SNAPSHOT, app_id, environment, *(since or (None, None, None)))
        if not rows:
            raise await not_registered(self._pool, app_id, environment)
        states = {row["level"]: (row["scope_revision"], row["scope_digest"]) for row in rows}
        opening = await self._seals.opening(rows)
        (global_, app, own) = (states[level] for level in Level)
        return SnapshotDocument(
            app_id=app_id,
            environment=environment,
            revisions=Revisions(global_[0], app[0], own[0]),
            digests=(global_[1], app[1], own[1]),
            full=rows[0]["whole"],
            items=tuple(snapshot_item(row, opening) for row in rows if row["key"] is not None),
        )


def _narrow(where: ConfigFilter) -> tuple[str | None, str | None, str | None] | None:
    """Application, environment and level to look for; None where the filter contradicts itself.

    `scope` may be a level (`app`) or one scope as it is spelled (`app.billing`).
    """
    if where.scope is None or where.scope in _LEVELS:
        return where.app_id, where.environment, where.scope
    try:
        exact = Scope.parse(where.scope)
    except ValueError as error:
        raise InvalidError([Violation("?scope", str(error))]) from error
    app_id, environment = exact.app_id or "", exact.environment or ""
    if where.app_id not in {None, app_id} or where.environment not in {None, environment}:
        return None
    return app_id, environment, exact.level

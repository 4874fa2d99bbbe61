"""Schemas of configs (port `Schemas`)."""

from uuid import UUID

import asyncpg

from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import ConflictError, NotFoundError, ValuesMovedError, VersionMismatchError
from control_plane.domain.schema import Checked, Schema
from control_plane.ports.pages import Page
from control_plane.postgres.cursors import page, read_cursor
from control_plane.postgres.pool import fetch, fetch_row
from control_plane.postgres.queries import sql
from control_plane.postgres.rows import attributed
from control_plane.postgres.rules import like, schema
from shared.domain.codec import Json, decode, encode, fragment

_GET = sql("get_schema")
_LIST = sql("list_schemas")
_PUT = sql("put_schema")
_DROP = sql("drop_schema")
_KIND = "schema"


class PostgresSchemas:
    """Keeps schemas; each act is audited, and moves the rules, in the same transaction."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def get(self, schema_id: UUID) -> Schema:
        """One schema."""
        row = await fetch_row(self._pool, _GET, schema_id)
        if row is None:
            raise NotFoundError(_KIND, str(schema_id))
        return _schema(row)

    async def list(self, app_id: str | None, *, limit: int, cursor: str | None) -> Page[Schema]:
        """Schemas by application and pattern; `app_id` "" means those of all applications, None any."""
        after_app, after_pattern = read_cursor(cursor, ["", ""])
        rows = await fetch(self._pool, _LIST, after_app, after_pattern, app_id, limit + 1)
        return page(rows, limit, _schema, "app_id", "pattern")

    async def put(self, checked: Checked, by: Attribution) -> Schema:
        """Make a schema or alter it, if what it was checked against is as it was then."""
        new = checked.new
        asked = {
            "id": str(checked.id),
            "app_id": new.app_id or "",
            "pattern": new.pattern,
            "like": like(new.pattern),
            "document": fragment(new.document),
            "description": new.description,
            "version": checked.version,
            "rules_revision": checked.rules_revision,
            "checked_revision": checked.checked_revision,
        }
        done = await self._run(_PUT, attributed(by), encode(asked).decode())
        if "stale" in done:
            msg = "Values or environments were changed while the schema was held against them."
            raise ValuesMovedError(msg)
        if "unknown" in done:
            kind = "application"
            raise NotFoundError(kind, done["unknown"])
        if "exists" in done:
            msg = f"There is a schema for {new.pattern} of {new.app_id or 'all applications'} already."
            raise ConflictError(msg, id=done["exists"])
        _require_version(done, checked.id, checked.version)
        return schema(done["schema"])

    async def drop(self, schema_id: UUID, version: int | None, by: Attribution) -> None:
        """Take a schema away."""
        done = await self._run(_DROP, attributed(by), schema_id, version)
        _require_version(done, schema_id, version or 0)

    async def _run(self, statement: str, *arguments: object) -> Json:
        (row,) = await fetch(self._pool, statement, *arguments)
        return decode(row["done"])


def _schema(row: asyncpg.Record) -> Schema:
    return schema(decode(row["schema"]))


def _require_version(done: Json, schema_id: UUID, expected: int) -> None:
    current = done.get("current")
    if current == 0:
        raise NotFoundError(_KIND, str(schema_id))
    if current is not None:
        raise VersionMismatchError(expected, current)

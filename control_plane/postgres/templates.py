"""Plans of rollouts with a name (port `Templates`)."""

from collections.abc import Mapping

import asyncpg

from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import InvalidError, NotFoundError, VersionMismatchError
from control_plane.domain.transition import Template
from control_plane.ports.pages import Page
from control_plane.postgres.cursors import page, read_cursor
from control_plane.postgres.pool import fetch, fetch_row
from control_plane.postgres.queries import sql
from control_plane.postgres.rows import attributed
from shared.domain.codec import Json, decode, encode
from shared.wire.problem import Violation

MAX_TEMPLATES = 1_000
"""Of an installation."""

_PUT = sql("put_template")
_LIST = sql("list_templates")
_FORGET = sql("forget_template")
_KIND = "rollout template"


class PostgresTemplates:
    """Keeps plans; each act is audited in the same transaction, and the same one again is none."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def put(
        self, template: str, description: str, document: Mapping[str, Json], by: Attribution, expected: int | None
    ) -> Template:
        """Keep a plan under a name."""
        plan = encode(dict(document)).decode()
        rows = await fetch(self._pool, _PUT, template, description, plan, expected, MAX_TEMPLATES, attributed(by))
        done = decode(rows[0]["done"])
        if "many" in done:
            raise InvalidError([Violation("", f"the limit templates is {MAX_TEMPLATES:,} in an installation")])
        if "current" in done:
            raise VersionMismatchError(expected or 0, done["current"])
        return await self.get(template)

    async def get(self, template: str) -> Template:
        """One plan."""
        row = await fetch_row(self._pool, _LIST, "", 1, template)
        if row is None:
            raise NotFoundError(_KIND, template)
        return _template(row)

    async def list(self, *, limit: int, cursor: str | None) -> Page[Template]:
        """Plans by name."""
        (after,) = read_cursor(cursor, [""])
        return page(await fetch(self._pool, _LIST, after, limit + 1, None), limit, _template, "name")

    async def delete(self, template: str, by: Attribution, expected: int | None = None) -> None:
        """Forget a plan."""
        rows = await fetch(self._pool, _FORGET, template, expected, attributed(by))
        current = decode(rows[0]["done"]).get("current")
        if current == 0:
            raise NotFoundError(_KIND, template)
        if current is not None:
            raise VersionMismatchError(expected or 0, current)


def _template(row: asyncpg.Record) -> Template:
    return Template(**dict(row) | {"document": decode(row["document"])})

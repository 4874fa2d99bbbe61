"""Everything that changes are checked against, read at once (port `RuleBook`)."""

from datetime import datetime
from uuid import UUID

import asyncpg

from control_plane.domain.rules import RuleSet
from control_plane.domain.schema import Schema
from control_plane.postgres.pool import fetch
from control_plane.postgres.queries import sql
from shared.wire.codec import Json, canonical, decode

_RULES = sql("rules")


class PostgresRules:
    """Reads the rules from the primary: a draft is committed against them."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def rules(self) -> RuleSet:
        """The rules as they are now."""
        (row,) = await fetch(self._pool, _RULES)
        return RuleSet(
            revision=row["revision"],
            schemas=tuple(map(schema, decode(row["schemas"]))),
            environments=tuple((app_id, environment) for app_id, environment in decode(row["environments"])),
        )


def schema(document: Json) -> Schema:
    """A schema from its JSON."""
    return Schema(
        id=UUID(document["id"]),
        app_id=document["app_id"] or None,
        pattern=document["pattern"],
        document=canonical(document["document"]),
        description=document["description"],
        version=document["version"],
        created_at=datetime.fromisoformat(document["created_at"]),
        created_by=document["created_by"],
        updated_at=datetime.fromisoformat(document["updated_at"]),
        updated_by=document["updated_by"],
    )

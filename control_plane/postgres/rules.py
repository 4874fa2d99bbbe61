"""Everything that changes are checked against, read at once (port `RuleBook`)."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from control_plane.domain.link_view import Node, Nodes
from control_plane.domain.rules import RuleSet
from control_plane.domain.schema import Schema
from control_plane.domain.sizes import Size
from control_plane.ports.rules import Stand
from control_plane.postgres.policies import policy
from control_plane.postgres.pool import fetch
from control_plane.postgres.queries import sql
from control_plane.postgres.rows import entry, scope
from control_plane.postgres.sealing.opening import Opening
from control_plane.postgres.sealing.seals import Seals
from shared.domain.codec import Json, canonical, decode
from shared.domain.entry import Entry, known_kind
from shared.domain.scope import Scope

_RULES = sql("rules")
_REVISION = sql("rules_revision")
_LINKS = sql("links")
_STAND = sql("stand")
_STAND_LIKE = sql("stand_like")
_SIZES = sql("sizes")


class PostgresRules:
    """Reads the rules from the primary: a draft is committed against them."""

    def __init__(self, pool: asyncpg.Pool, seals: Seals) -> None:
        self._pool, self._seals = pool, seals

    async def revision(self) -> int:
        """The revision that the rules are at."""
        return int((await fetch(self._pool, _REVISION))[0][0])

    async def rules(self) -> RuleSet:
        """The rules as they are now."""
        (row,) = await fetch(self._pool, _RULES)
        return RuleSet(
            revision=row["revision"],
            schemas=tuple(map(schema, decode(row["schemas"]))),
            environments=tuple((app_id, environment) for app_id, environment in decode(row["environments"])),
            policies=tuple(map(policy, decode(row["policies"]))),
        )

    async def stand(self, keys: Sequence[str], apps: Sequence[str] | None) -> Stand:
        """What stands for these keys, globally and in these applications (None: in all)."""
        return await self._stand(await fetch(self._pool, _STAND, keys, apps))

    async def stand_like(self, pattern: str, app_id: str | None) -> Stand:
        """What stands for the keys of a pattern with `*`, globally and in one application (None: in all)."""
        return await self._stand(await fetch(self._pool, _STAND_LIKE, like(pattern), app_id))

    async def _stand(self, rows: Sequence[asyncpg.Record]) -> Stand:
        return _stand(rows, await self._seals.opening(rows))

    async def links(self, touched: Sequence[str], refs: Sequence[str], apps: Sequence[str] | None) -> tuple[int, Nodes]:
        """What refers to what around the touched keys, globally and in these applications, and the revision of that."""
        rows = await fetch(self._pool, _LINKS, touched, refs, apps)
        nodes: dict[str, dict[Scope, Node]] = {}
        for row in rows:
            if row["key"] is not None:
                node = Node(known_kind(row["kind"]), tuple(row["refs"]))
                nodes.setdefault(row["key"], {})[scope(row["app_id"], row["environment"])] = node
        return rows[0]["head"], nodes

    async def sizes(self, apps: Sequence[str] | None) -> dict[tuple[str, str], Size]:
        """How large the effective snapshots of these applications' environments are (None: of all)."""
        rows = await fetch(self._pool, _SIZES, apps)
        return {(row["app_id"], row["environment"]): Size(row["keys"], row["bytes"]) for row in rows}


def like(pattern: str) -> str:
    """A pattern of keys as the database knows it."""
    return pattern.replace("_", r"\_").replace("*", "%")


def _stand(rows: Sequence[asyncpg.Record], opening: Opening) -> Stand:
    entries: dict[str, dict[Scope, Entry]] = {}
    secrets: set[tuple[Scope, str]] = set()
    for row in rows:
        if row["key"] is None:  # the one row of an installation in which nothing stands for the keys
            continue
        if not row["deleted"]:
            entries.setdefault(row["key"], {}).update([_standing(row, opening)])
        if row["sensitive"]:
            secrets.add((scope(row["app_id"], row["environment"]), row["key"]))
    return Stand(rows[0]["head"], entries, frozenset(secrets))


def _standing(row: asyncpg.Record, opening: Opening) -> tuple[Scope, Entry]:
    value, version, revision = opening.value(row), row["version"], row["revision"]
    rollout = opening.rollout(row)
    found = entry(row["key"], row["kind"], value, version, revision, sensitive=row["sensitive"], rollout=rollout)
    return scope(row["app_id"], row["environment"]), found


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

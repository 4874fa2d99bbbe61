"""Plans of rollouts with a name, as PostgreSQL keeps them."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from control_plane.domain.errors import NotFoundError, VersionMismatchError
from control_plane.postgres.pool import open_pool
from control_plane.postgres.templates import PostgresTemplates
from tests.store import OLGA

PLAN = {"strategy": "canary", "gates": [{"type": "bake", "seconds": 600}]}


@pytest.fixture
async def pool(migrated_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with open_pool(migrated_url, 2) as opened:
        yield opened


@pytest.fixture
def templates(pool: asyncpg.Pool) -> PostgresTemplates:
    return PostgresTemplates(pool)


async def actions(pool: asyncpg.Pool) -> list[str]:
    rows = await pool.fetch("select action from audit_logs where action like 'rollout-template.%' order by seq")
    return [row["action"] for row in rows]


async def test_a_plan_is_kept_replaced_and_forgotten_and_each_act_is_audited(
    templates: PostgresTemplates, pool: asyncpg.Pool
) -> None:
    made = await templates.put("careful", "Slowly.", PLAN, OLGA, 0)
    assert (made.name, made.version, made.document, made.created_by) == ("careful", 1, PLAN, "olga")
    changed = await templates.put("careful", "Slowly.", {"strategy": "immediate"}, OLGA, 1)
    assert (changed.version, changed.document, changed.created_at) == (2, {"strategy": "immediate"}, made.created_at)
    await templates.delete("careful", OLGA, 2)
    with pytest.raises(NotFoundError):
        await templates.get("careful")
    assert await actions(pool) == [f"rollout-template.{each}" for each in ("created", "updated", "deleted")]
    assert await pool.fetchval("select trimtab_audit_broken_at()") is None


async def test_the_same_plan_again_changes_nothing(templates: PostgresTemplates, pool: asyncpg.Pool) -> None:
    made = await templates.put("careful", "", PLAN, OLGA, None)
    assert await templates.put("careful", "", PLAN, OLGA, None) == made
    assert await actions(pool) == ["rollout-template.created"]


async def test_a_plan_that_somebody_else_changed_is_left_alone(templates: PostgresTemplates) -> None:
    await templates.put("careful", "", PLAN, OLGA, 0)
    for expected in (0, 7):
        with pytest.raises(VersionMismatchError) as refused:
            await templates.put("careful", "other", PLAN, OLGA, expected)
        assert refused.value.current == 1
    with pytest.raises(VersionMismatchError):
        await templates.delete("careful", OLGA, 7)
    with pytest.raises(VersionMismatchError) as missing:
        await templates.put("quick", "", PLAN, OLGA, 3)
    assert missing.value.current == 0


async def test_plans_are_listed_by_name(templates: PostgresTemplates) -> None:
    for name in ("c", "a", "b"):
        await templates.put(name, "", PLAN, OLGA, None)
    first = await templates.list(limit=2, cursor=None)
    rest = await templates.list(limit=2, cursor=first.next_cursor)
    assert [each.name for each in (*first.items, *rest.items)] == ["a", "b", "c"]
    assert rest.next_cursor is None


async def test_what_is_not_there_is_not_found(templates: PostgresTemplates) -> None:
    with pytest.raises(NotFoundError):
        await templates.get("none")
    with pytest.raises(NotFoundError):
        await templates.delete("none", OLGA)

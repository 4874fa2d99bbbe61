"""The schema grows in order, once, and never under the feet of another version."""

import anyio
import asyncpg
import pytest

from control_plane.domain.errors import UnavailableError
from control_plane.postgres.migrate import (
    ChangedMigrationError,
    Migrated,
    Migration,
    NewerSchemaError,
    OutdatedSchemaError,
    migrate,
    require_current,
)


async def _run(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def test_an_empty_database_gets_every_migration_once(postgres_url: str) -> None:
    known = Migration.all()
    with pytest.raises(OutdatedSchemaError, match="trimtab migrate"):
        await require_current(postgres_url)
    assert await migrate(postgres_url) == Migrated([each.name for each in known], known[-1].version)
    assert await migrate(postgres_url) == Migrated([], known[-1].version)
    await require_current(postgres_url)


def test_migrations_are_numbered_without_gaps() -> None:
    assert [each.version for each in Migration.all()] == list(range(1, len(Migration.all()) + 1))


async def test_programs_that_start_at_the_same_time_share_the_work(postgres_url: str) -> None:
    results: list[Migrated] = []

    async def start() -> None:
        results.append(await migrate(postgres_url))

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(start)
    assert sorted(len(each.applied) for each in results) == [0, 0, 0, 0, len(Migration.all())]


async def test_the_schema_of_a_newer_program_is_refused_with_advice(migrated_url: str) -> None:
    await _run(migrated_url, "insert into schema_migrations values (9000, '9000_future', 'x')")
    for start in (migrate, require_current):
        with pytest.raises(NewerSchemaError, match=r"version 9000.*newer Trimtab.*Start that version"):
            await start(migrated_url)


async def test_a_migration_that_was_edited_after_it_was_applied_is_refused(migrated_url: str) -> None:
    await _run(migrated_url, "update schema_migrations set checksum = 'other' where version = 2")
    with pytest.raises(ChangedMigrationError, match="0002_configs_and_changes"):
        await migrate(migrated_url)


async def test_functions_are_made_anew_whenever_they_are_others(migrated_url: str) -> None:
    await _run(migrated_url, "create function trimtab_of_old() returns integer language sql as 'select 1'")
    await _run(migrated_url, "update schema_functions set checksum = 'of another program'")
    with pytest.raises(OutdatedSchemaError, match="functions"):
        await require_current(migrated_url)
    assert (await migrate(migrated_url)).applied == []
    await require_current(migrated_url)
    with pytest.raises(asyncpg.UndefinedFunctionError):
        await _run(migrated_url, "select trimtab_of_old()")
    await _run(migrated_url, "select trimtab_commit('[[]]')")


async def test_a_migration_that_fails_leaves_nothing_of_itself(postgres_url: str) -> None:
    await _run(postgres_url, "create table configs (in_the_way boolean)")
    with pytest.raises(asyncpg.DuplicateTableError):
        await migrate(postgres_url)
    with pytest.raises(OutdatedSchemaError, match=r"lacks 0002"):
        await require_current(postgres_url)
    await _run(postgres_url, "drop table configs")
    assert len((await migrate(postgres_url)).applied) == len(Migration.all()) - 1


async def test_a_database_that_is_away_is_unavailable(postgres_url: str) -> None:
    with pytest.raises(UnavailableError):
        await migrate("postgresql://postgres@127.0.0.1:1/none")
    with pytest.raises(UnavailableError):
        await migrate(postgres_url + "_that_does_not_exist")

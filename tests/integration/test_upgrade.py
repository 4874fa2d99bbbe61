"""A database that an earlier version wrote to goes on with all that it holds."""

import asyncpg

from control_plane.domain.change import Op
from control_plane.postgres.migrate import Migration, migrate, require_current
from shared.domain.codec import decode, encode
from tests.store import GLOBAL, OLGA, PROD, open_store, put

_BEFORE_FUNCTIONS_LEFT_THE_MIGRATIONS = 6
_DRAFT = {
    "author": "olga",
    "message": "before",
    "source": "cli",
    "address": "192.0.2.1",
    "request_id": "r",
    "request_hash": "",
    "operations": [{"op": "put", "app_id": "", "environment": "", "key": "a", "value": 1, "value_digest": 7}],
}


async def _write_as_before(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for migration in Migration.all()[:_BEFORE_FUNCTIONS_LEFT_THE_MIGRATIONS]:
            await connection.execute(migration.sql)
        (outcome,) = await connection.fetchval("select trimtab_commit($1::jsonb)", encode([[_DRAFT]]).decode())
        assert decode(outcome)["revision"] == 1
        await connection.fetch("select trimtab_audit('olga', 'app.created', '192.0.2.1', 'r', '{}')")
        await connection.execute(
            "create table schema_migrations (version integer primary key, name text not null, checksum text not null,"
            " applied_at timestamptz not null default clock_timestamp())"
        )
        for migration in Migration.all()[:_BEFORE_FUNCTIONS_LEFT_THE_MIGRATIONS]:
            await connection.execute(
                "insert into schema_migrations values ($1, $2, $3)",
                migration.version,
                migration.name,
                migration.checksum,
            )
    finally:
        await connection.close()


async def test_what_an_earlier_version_wrote_is_kept_and_its_audit_chain_goes_on(postgres_url: str) -> None:
    await _write_as_before(postgres_url)
    migrated = await migrate(postgres_url)
    assert migrated.applied[0].startswith("0007")
    await require_current(postgres_url)
    async with open_store(postgres_url) as store:
        old = await store.changes.get_change(1)
        assert (old.author, old.committed_by, old.message, old.labels) == ("olga", "olga", "before", {})
        await store.registry.create_app("billing", "", OLGA)
        await store.registry.create_environment("billing", "prod", OLGA)
        new = await store.commit(put(GLOBAL, "a", 2), put(PROD, "a", 3))
        assert [(each.op, each.version) for each in new.applied] == [(Op.PUT, 2), (Op.PUT, 1)]
        assert await store.pool.fetchval("select trimtab_audit_broken_at()") is None
        assert await store.pool.fetchval("select count(*) from audit_logs") == 5

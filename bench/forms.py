"""Three ways to write a value durably: ours, the least that PostgreSQL can do, and the usual one of many statements."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg

from control_plane.domain.attribution import Attribution
from control_plane.domain.change import Draft, Op, Operation
from control_plane.postgres.changes import PostgresChanges
from shared.domain.scope import Scope
from tests.rig.installation import APP, ENVIRONMENT
from tests.rig.seals import seals_over

Write = Callable[[int, int], Awaitable[object]]
"""Write a value (the second number) as one of the clients (the first)."""

_TABLES = """
create table bench_bare (id integer primary key, value integer) with (fillfactor = 50);
create table bench_head (singleton boolean primary key, revision bigint not null) with (fillfactor = 10);
create table bench_versions (id integer, revision bigint, value integer, primary key (id, revision));
create table bench_audit (seq bigint primary key, actor text, action text, detail jsonb);
create table bench_outbox (revision bigint primary key, scope text, published_at timestamptz);
insert into bench_head values (true, 0);
"""


@dataclass(frozen=True, slots=True)
class Forms:
    """The three, over one pool."""

    pool: asyncpg.Pool
    changes: PostgresChanges

    @classmethod
    async def over(cls, pool: asyncpg.Pool, clients: int) -> "Forms":
        """Make the tables that the other two need."""
        await pool.execute(_TABLES)
        await pool.execute("insert into bench_bare select id, 0 from generate_series(0, $1) as id", clients)
        return cls(pool, PostgresChanges(pool, seals_over(pool)))

    async def commit(self, client: int, value: int) -> None:
        """A change: checked, versioned, audited in the hash chain, with an outbox row; one statement."""
        operation = Operation(Op.PUT, Scope(APP, ENVIRONMENT), f"bench.client-{client}", str(value).encode())
        await self.changes.commit(Draft((operation,), by=Attribution("operator")))

    async def update(self, client: int, value: int) -> None:
        """One row changed, and nothing else."""
        await self.pool.execute("update bench_bare set value = $2 where id = $1", client, value)

    async def five_round_trips(self, client: int, value: int) -> None:
        """Lock, write the value, its version, the audit (without a chain) and the outbox, as an ORM would; and begin, commit."""
        async with self.pool.acquire() as connection, connection.transaction():
            revision = 1 + await connection.fetchval("select revision from bench_head for update")
            await connection.execute("update bench_bare set value = $2 where id = $1", client, value)
            await connection.execute("insert into bench_versions values ($1, $2, $3)", client, revision, value)
            await connection.execute(
                "with head as (update bench_head set revision = $1), audited as (insert into bench_audit values "
                "($1, 'operator', 'change.committed', $2)) insert into bench_outbox values ($1, 'env.shop.prod')",
                revision,
                f'{{"client": {client}, "value": {value}}}',
            )

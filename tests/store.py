"""A store to test against, and short ways of saying what to commit to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from agent.snapshot.model import Snapshot
from control_plane.domain.attribution import Attribution
from control_plane.domain.change import Committed, Draft, Op, Operation
from control_plane.postgres.changes import PostgresChanges
from control_plane.postgres.configs import PostgresConfigs
from control_plane.postgres.credentials import PostgresCredentials
from control_plane.postgres.pool import open_pool
from control_plane.postgres.registry import PostgresRegistry
from control_plane.postgres.rollouts import PostgresRollouts
from shared.domain.codec import Json, canonical
from shared.domain.resolution import scope_digest
from shared.domain.scope import Scope
from tests.rig.seals import seals_over

OLGA = Attribution("olga", "192.0.2.7", "req-1")
GLOBAL = Scope()
BILLING = Scope("billing")
PROD = Scope("billing", "prod")
STAGING = Scope("billing", "staging")


@dataclass(frozen=True, slots=True)
class Store:
    """The ports that PostgreSQL implements, over one pool."""

    pool: asyncpg.Pool
    changes: PostgresChanges
    configs: PostgresConfigs
    registry: PostgresRegistry
    credentials: PostgresCredentials
    rollouts: PostgresRollouts

    async def commit(self, *operations: Operation, **draft: Any) -> Committed:
        """Commit these operations as one change."""
        return await self.changes.commit(Draft(operations, **({"by": OLGA} | draft)))


async def _hash_key() -> bytes:
    """The key of the hashes of tokens."""
    return b"a key that is in no database"


@asynccontextmanager
async def open_store(url: str, size: int = 5) -> AsyncIterator[Store]:
    """A store over a migrated database."""
    async with open_pool(url, size) as pool:
        yield Store(
            pool,
            PostgresChanges(pool, seals_over(pool)),
            PostgresConfigs(pool, seals_over(pool)),
            PostgresRegistry(pool),
            PostgresCredentials(pool, _hash_key),
            PostgresRollouts(pool, seals_over(pool)),
        )


@asynccontextmanager
async def billing_store(url: str, size: int = 5) -> AsyncIterator[Store]:
    """A store in which billing/prod and billing/staging are registered."""
    async with open_store(url, size) as store:
        await store.registry.create_app("billing", "", OLGA)
        await store.registry.create_environment("billing", "prod", OLGA)
        await store.registry.create_environment("billing", "staging", OLGA)
        yield store


def put(scope: Scope, key: str, value: Json, **more: Any) -> Operation:
    return Operation(Op.PUT, scope, key, canonical(value), **more)


def delete(scope: Scope, key: str, **more: Any) -> Operation:
    return Operation(Op.DELETE, scope, key, **more)


def mask(scope: Scope, key: str, **more: Any) -> Operation:
    return Operation(Op.MASK, scope, key, **more)


def unmask(scope: Scope, key: str, **more: Any) -> Operation:
    return Operation(Op.UNMASK, scope, key, **more)


def digests_of(snapshot: Snapshot) -> tuple[int, ...]:
    """The digests of the entries that a snapshot really holds."""
    return tuple(scope_digest(each.values()) for each in snapshot.scopes)

"""The installation's signing keys over a real database: made once, encrypted, replaced while everybody watches."""

from collections.abc import AsyncIterator
from datetime import timedelta

import anyio
import asyncpg
import pytest

from control_plane.domain.errors import KeyLostError
from control_plane.domain.keys import KNOWN_AHEAD, TRUSTED_AFTER, Purpose
from control_plane.key_encryption.local import LocalKeyEncryption, new_key
from control_plane.postgres.pool import open_pool
from control_plane.postgres.signing_keys import PostgresSigningKeys
from control_plane.services.keys.signing import SigningKeys
from tests.fakes.clock import ManualClock
from tests.store import OLGA

pytestmark = pytest.mark.integration
TOKENS, MESSAGES = Purpose.TOKENS, Purpose.MESSAGES
KEY = new_key()


@pytest.fixture
async def pool(migrated_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with open_pool(migrated_url, 4) as opened:
        yield opened


def replica(pool: asyncpg.Pool, clock: ManualClock, key: str = KEY) -> SigningKeys:
    return SigningKeys(PostgresSigningKeys(pool), LocalKeyEncryption.parse(key), clock, OLGA)


async def test_replicas_that_start_at_once_have_the_same_keys_and_one_for_each_purpose(pool: asyncpg.Pool) -> None:
    replicas = [replica(pool, ManualClock()) for _ in range(4)]
    async with anyio.create_task_group() as group:
        for each in replicas:
            group.start_soon(each.load)
    for purpose in Purpose:
        assert len({each.current(purpose).kid for each in replicas}) == 1
        [public] = replicas[0].public(purpose)
        private = replicas[3].current(purpose).private
        assert private.public_key().public_bytes_raw() == public.raw
    assert replicas[0].current(TOKENS).kid != replicas[0].current(MESSAGES).kid


async def test_the_next_key_is_known_before_it_signs_and_the_last_one_trusted_after(pool: asyncpg.Pool) -> None:
    clock = ManualClock()
    keys = replica(pool, clock)
    await keys.load()
    old = keys.current(TOKENS).kid
    new = (await keys.rotate(TOKENS, OLGA)).kid
    assert (keys.current(TOKENS).kid, [each.kid for each in keys.public(TOKENS)]) == (old, [old, new])
    clock.advance(KNOWN_AHEAD.total_seconds())
    assert (keys.current(TOKENS).kid, [each.kid for each in keys.public(TOKENS)]) == (new, [old, new])
    clock.advance(TRUSTED_AFTER.total_seconds() + 1)
    assert [each.kid for each in keys.public(TOKENS)] == [new]
    newest = (await keys.rotate(TOKENS, OLGA, at_once=True)).kid
    assert keys.current(TOKENS).kid == newest
    assert await pool.fetchval("select count(*) from signing_keys where purpose = 'tokens'") == 2
    assert len(keys.public(MESSAGES)) == 1


async def test_private_halves_lie_encrypted_and_can_be_put_under_another_key(pool: asyncpg.Pool) -> None:
    clock = ManualClock()
    keys = replica(pool, clock)
    await keys.load()
    kid, private = keys.current(MESSAGES).kid, keys.current(MESSAGES).private.private_bytes_raw()
    stored = await pool.fetchval("select string_agg(private, '') from signing_keys")
    assert private not in stored
    other = new_key()
    both = replica(pool, clock, f"{other},{KEY}")
    await both.load()
    assert await both.rewrap() == len(Purpose)
    assert await both.rewrap() == 0
    alone = replica(pool, clock, other)
    await alone.load()
    assert alone.current(MESSAGES).private.private_bytes_raw() == private
    assert alone.current(MESSAGES).kid == kid
    with pytest.raises(KeyLostError):
        await replica(pool, clock).load()


async def test_a_clock_that_was_set_back_signs_with_the_first_key(pool: asyncpg.Pool) -> None:
    clock = ManualClock()
    keys = replica(pool, clock)
    await keys.load()
    kid = keys.current(TOKENS).kid
    behind = ManualClock()
    behind.set(clock.now() - timedelta(days=1))
    other = replica(pool, behind)
    await other.load()
    assert other.current(TOKENS).kid == kid

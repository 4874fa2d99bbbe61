"""The key-encryption key of a test run, and seals over a database under it."""

import asyncpg

from control_plane.key_encryption.local import LocalKeyEncryption, new_key
from control_plane.postgres.sealing.data_keys import DataKeys
from control_plane.postgres.sealing.seals import Seals
from control_plane.redis_cache.marks import Marks
from shared.runtime.clock import SystemClock

ENCRYPTION_KEY = new_key()


def seals_over(pool: asyncpg.Pool) -> Seals:
    """What seals and opens sensitive values of this database."""
    return Seals(DataKeys(pool, LocalKeyEncryption.parse(ENCRYPTION_KEY), SystemClock()))


async def _marking_key() -> bytes:
    return b"a key that is not in Redis"


MARKS = Marks(_marking_key)
"""What marks things in Redis, for tests without a composition."""

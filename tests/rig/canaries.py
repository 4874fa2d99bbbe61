"""Looking for a secret everywhere: in the database and its files, in Redis and on the broker, in all that is said."""

import base64
import gzip
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager

import aio_pika
import asyncpg
import pytest
import redis.asyncio
from aio_pika.abc import AbstractIncomingMessage

from control_plane.domain.keys import WrappedKey
from control_plane.key_encryption.local import LocalKeyEncryption
from shared.wire.topology import CHANGES_EXCHANGE


def traces(secret: str | bytes) -> Iterator[bytes]:
    """What a secret looks like where it was written down in one way or another."""
    raw = secret.encode() if isinstance(secret, str) else secret
    yield raw
    yield raw.hex().encode()
    for shift in range(3):  # in base64 it looks different at each of three offsets; its ends mix with its neighbours
        yield base64.b64encode(b" " * shift + raw)[4 : -4 or None]


def traces_of(secrets: Iterable[str | bytes]) -> re.Pattern[bytes]:
    """What finds any of them."""
    return re.compile(b"|".join(re.escape(trace) for each in secrets for trace in traces(each)))


async def own_keys(database_url: str, key: str) -> list[bytes]:
    """The keys that the installation made for itself, as they are when nobody encrypts them."""
    encryption, found = LocalKeyEncryption.parse(key), []
    connection = await asyncpg.connect(database_url)
    try:
        for query, context in (
            ("select id::text as name, wrapped, encrypted_by from data_keys", "trimtab data key"),
            ("select kid as name, private as wrapped, encrypted_by from signing_keys", "trimtab signing key"),
        ):
            for row in await connection.fetch(query):
                wrapped = WrappedKey(row["encrypted_by"], row["wrapped"])
                found.append(await encryption.unwrap(wrapped, f"{context}\0{row['name']}".encode()))
    finally:
        await connection.close()
    return found


async def wal_position(database_url: str) -> str:
    """Where PostgreSQL's log of writes is now."""
    connection = await asyncpg.connect(database_url)
    try:
        return str(await connection.fetchval("select pg_walfile_name(pg_current_wal_lsn())"))
    finally:
        await connection.close()


async def files_of_the_database(database_url: str, since: str) -> AsyncIterator[bytes]:
    """The files of this database after a checkpoint, and the last ones of the log of writes."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("checkpoint")
        base = await connection.fetchval(
            "select 'base/' || oid::text from pg_database where datname = current_database()"
        )
        names = [f"{base}/{name}" for (name,) in await connection.fetch("select pg_ls_dir($1)", base)]
        log = "select name from pg_ls_waldir() where name between $1 and pg_walfile_name(pg_current_wal_lsn())"
        names += [f"pg_wal/{name}" for (name,) in await connection.fetch(f"{log} order by name desc limit 8", since)]
        for name in names:
            yield await connection.fetchval("select pg_read_binary_file($1, 0, 17000000, true)", name) or b""
    finally:
        await connection.close()


async def rows(database_url: str) -> AsyncIterator[bytes]:
    """Every row of every table."""
    connection = await asyncpg.connect(database_url)
    try:
        for (table,) in await connection.fetch("select tablename from pg_tables where schemaname = 'public'"):
            for (row,) in await connection.fetch(f'select to_jsonb(t)::text from "{table}" as t'):  # noqa: S608 - our own tables
                yield row.encode()
    finally:
        await connection.close()


async def everything_in_redis(url: str) -> list[bytes]:
    """Every key with its value, unpacked where it is packed."""
    found: list[bytes] = []
    async with redis.asyncio.from_url(url) as client:
        async for key in client.scan_iter():
            found.append(key)
            match await client.type(key):
                case b"string":
                    found.append(await client.get(key))
                case b"hash":
                    found += [each for pair in (await client.hgetall(key)).items() for each in pair]
                case b"zset":
                    found += await client.zrange(key, 0, -1)
                case b"set":
                    found += await client.smembers(key)
                case other:
                    pytest.fail(f"{key!r} is a {other!r}, which this search does not know")
    return [gzip.decompress(each) if each.startswith(b"\x1f\x8b") else each for each in found]


@asynccontextmanager
async def heard_on_the_broker(url: str) -> AsyncIterator[list[bytes]]:
    """Everything that is published, as it is on the wire."""
    heard: list[bytes] = []

    async def hear(message: AbstractIncomingMessage) -> None:
        heard.append(f"{message.routing_key} {message.headers}".encode() + message.body)

    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(CHANGES_EXCHANGE, "topic", durable=True)
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(exchange, "#")
        await queue.consume(hear, no_ack=True)
        yield heard

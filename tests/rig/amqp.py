"""Connections to the broker that leave nothing behind where they are refused."""

from typing import Any

from aio_pika.connection import Connection, make_url


async def connected(url: Any) -> Connection:
    """An open connection. One that cannot be opened is closed, or its destructor tries to, wherever the collector runs."""
    connection = Connection(make_url(str(url)))
    try:
        await connection.connect()
    except BaseException:
        await connection.close()
        raise
    return connection

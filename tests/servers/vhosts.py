"""Virtual hosts for single tests on the shared broker: a broker of its own, as far as a test can see."""

import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit, urlunsplit
from uuid import uuid4

import aio_pika
import aiohttp
import anyio.to_thread

from shared.wire.topology import CHANGES_EXCHANGE
from tests.servers.wire import Answer

_EVERYTHING = {"configure": ".*", "write": ".*", "read": ".*"}


@asynccontextmanager
async def fresh_vhost(broker: Answer, root: Path) -> AsyncIterator[str]:
    """The URL of a virtual host that nobody else uses and that holds none of our exchanges."""
    if broker.management_url:
        async with _made(broker) as url:
            yield url
    else:
        async with _alone(broker.url, root / "vhost.lock"):
            yield broker.url


@asynccontextmanager
async def _made(broker: Answer) -> AsyncIterator[str]:
    parts, name = urlsplit(broker.url), f"test-{uuid4().hex[:12]}"
    user = unquote(parts.username or "guest")
    login = {"Authorization": aiohttp.encode_basic_auth(user, unquote(parts.password or "guest"))}
    async with aiohttp.ClientSession(f"{broker.management_url}/api/", headers=login, raise_for_status=True) as api:
        async with api.put(f"vhosts/{name}"), api.put(f"permissions/{name}/{user}", json=_EVERYTHING):
            pass
        try:
            yield urlunsplit(parts._replace(path=f"/{name}"))
        finally:
            async with api.delete(f"vhosts/{name}"):
                pass


@asynccontextmanager
async def _alone(url: str, lock: Path) -> AsyncIterator[str]:
    """On a broker that we cannot manage there is one virtual host, and one test at a time has it."""
    with lock.open("ab") as file:
        await anyio.to_thread.run_sync(_lock, file)
        await forget_exchange(url)
        yield url
        await forget_exchange(url)


def _lock(file: IO[bytes]) -> None:
    fcntl.flock(file, fcntl.LOCK_EX)


async def forget_exchange(url: str) -> None:
    """Remove our exchange with all its bindings."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.exchange_delete(CHANGES_EXCHANGE)

"""What comes back from the control plane: the bytes of an answer, at most so many, with the port's errors."""

from collections.abc import AsyncIterator

import aiohttp

from agent.upstream.endpoints import translated
from shared.wire.snapshot import MalformedSnapshotError


async def read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """All of it.

    Raises:
        MalformedSnapshotError: it is longer than `limit`.
    """
    body = bytearray()
    async for chunk in chunks(response):
        body += chunk
        if len(body) > limit:
            msg = f"an answer of more than {limit} bytes"
            raise MalformedSnapshotError(msg)
    return bytes(body)


async def chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The body as it comes, with the port's errors."""
    with translated("the control plane broke off"):
        async for chunk in response.content.iter_any():
            yield chunk

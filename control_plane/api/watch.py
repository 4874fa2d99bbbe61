"""One reader of an app/environment's changes: frames that the feed encoded once, written straight to the transport."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import anyio
from aiohttp import hdrs, web

from control_plane.api.services import Services
from control_plane.domain.errors import UnauthenticatedError, UnavailableError
from shared.domain.scope import Lineage
from shared.wire import sse

if TYPE_CHECKING:
    import asyncio

MAX_BUFFERED = 8 * 1024 * 1024
"""Bytes that may wait for a reader. One that is further behind is dropped: a resync costs less than its buffer."""

CHECK_INTERVAL = 3.0
"""Seconds between two looks at whether the reader is still there and may still read it."""

STOPPING = web.AppKey("stopping", anyio.Event)
"""Set when the server stops, so that streams end before it waits for them."""


class Watch:
    """Serves one stream until its reader goes, is too slow, may read it no more, or the server stops."""

    def __init__(self, services: Services, lineage: Lineage, may_read: Callable[[], Awaitable[bool]]) -> None:
        self._services, self._lineage, self._may_read = services, lineage, may_read
        self._ended = anyio.Event()
        self._transport: asyncio.Transport | None = None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer the request; returns when the stream has ended."""
        response = web.StreamResponse(headers={"Content-Type": sse.CONTENT_TYPE, "X-Accel-Buffering": "no"})
        if request.method == hdrs.METH_HEAD:
            return response
        response.enable_chunked_encoding()
        await response.prepare(request)
        self._transport = request.transport
        with (
            self._services.feed.subscribe(self._lineage, self._deliver),
            self._services.metrics.streams.track_inprogress(),
        ):
            await self._greet(response)
            await self._until_ended(request.app[STOPPING])
        return response

    async def _greet(self, response: web.StreamResponse) -> None:
        """Send what everything is at now. aiohttp writes its headers with it, so later frames can go around aiohttp."""
        greeting = self._services.feed.greeting(self._lineage, self._services.heartbeat_interval)
        try:
            await response.write(greeting)
        except ConnectionError:
            self._ended.set()

    def _deliver(self, chunk: bytes) -> None:
        transport = self._transport
        if self._ended.is_set() or transport is None:
            return
        if transport.is_closing():
            self._ended.set()
        elif transport.get_write_buffer_size() > MAX_BUFFERED:
            self._services.metrics.streams_dropped.inc()
            transport.abort()
            self._ended.set()
        else:
            transport.write(chunk)

    async def _until_ended(self, stopping: anyio.Event) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._end_with, stopping)
            while not self._ended.is_set() and await self._may_go_on():
                with anyio.move_on_after(CHECK_INTERVAL):
                    await self._ended.wait()
            group.cancel_scope.cancel()

    async def _end_with(self, stopping: anyio.Event) -> None:
        await stopping.wait()
        self._ended.set()

    async def _may_go_on(self) -> bool:
        if self._transport is None or self._transport.is_closing():
            return False
        try:
            return await self._may_read()
        except UnauthenticatedError:
            return False
        except UnavailableError:  # nobody can say that it was revoked
            return True

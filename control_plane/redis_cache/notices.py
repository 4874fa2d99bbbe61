"""The bell between replicas, over Redis' publish/subscribe."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from redis.asyncio import Redis

from control_plane.redis_cache.client import FAILURES, PREFIX, Outage
from shared.runtime.bell import Bell
from shared.runtime.retry import Backoff

CHANNEL = f"{PREFIX}revisions"
"""Where a committed revision is called out, in decimal digits."""

ALARMS = f"{PREFIX}alarms"
"""Where it is called out that an application became unhealthy, with the moment."""

_RING_WITHIN = 0.3
"""Seconds that ringing may delay a writer."""

_QUIET = 15.0
"""Seconds without a word after which the subscription is checked."""


class RedisNotices:
    """Rings this replica's own listeners at once, and those of the others through Redis."""

    def __init__(self, client: Redis, channel: str = CHANNEL) -> None:
        self._client, self._channel = client, channel
        self._bells: set[Bell] = set()
        self._outage = Outage("replicas hear of each other's changes within a second instead of at once")

    async def ring(self, revision: int) -> None:
        for bell in self._bells:
            bell.ring(revision)
        if self._outage.sparing:
            return
        try:
            with anyio.fail_after(_RING_WITHIN):
                await self._client.publish(self._channel, str(revision))
        except FAILURES as error:
            self._outage.failed(error)
        else:
            self._outage.worked()

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[AsyncIterator[int]]:
        """Hear rings from now on; returns at once if Redis is away, and hears the others once it is back."""
        bell = Bell()
        self._bells.add(bell)
        try:
            async with anyio.create_task_group() as group:
                subscribed = anyio.Event()
                group.start_soon(self._hear, bell, subscribed)
                await subscribed.wait()
                yield bell
                group.cancel_scope.cancel()
        finally:
            self._bells.discard(bell)

    async def _hear(self, bell: Bell, subscribed: anyio.Event) -> None:
        backoff = Backoff(cap=2.0)
        while True:
            try:
                await self._hear_until_it_breaks(bell, subscribed, backoff)
            except FAILURES as error:
                self._outage.failed(error)
                subscribed.set()
                await anyio.sleep(backoff.next())

    async def _hear_until_it_breaks(self, bell: Bell, subscribed: anyio.Event, backoff: Backoff) -> None:
        async with self._client.pubsub(ignore_subscribe_messages=False) as subscription:
            await subscription.subscribe(self._channel)
            while True:
                message = await subscription.get_message(timeout=_QUIET)
                match message:
                    case None:
                        await subscription.ping()
                    case {"type": "subscribe"}:
                        backoff.reset()
                        self._outage.worked()
                        subscribed.set()
                    case {"type": "message", "data": bytes(data)} if data.isdigit():
                        bell.ring(int(data))
                    case _:
                        pass

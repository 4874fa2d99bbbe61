"""A queue bound as an agent's is, that remembers what it was sent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskStatus

from agent.ports import Feed
from agent.upstream.amqp import AmqpFeed
from shared.domain.scope import Revisions
from shared.wire.messages import ChangeMessage, Put


@dataclass
class Listener:
    """What came since the block was entered."""

    messages: list[ChangeMessage] = field(default_factory=list)

    async def until_key(self, key: str, within: float) -> ChangeMessage:
        """Wait for a message that puts this key."""
        with anyio.fail_after(within):
            while True:
                for message in self.messages:
                    if any(isinstance(each, Put) and each.entry.key == key for each in message.operations):
                        return message
                await anyio.sleep(0.005)

    async def _run(self, feed: Feed, *, task_status: TaskStatus[None]) -> None:
        async with feed.follow(Revisions()) as messages:
            task_status.started()
            async for message in messages:
                if isinstance(message, ChangeMessage):
                    self.messages.append(message)


@asynccontextmanager
async def listening(amqp_url: str, app_id: str, environment: str) -> AsyncIterator[Listener]:
    """Listen on the broker until the block ends."""
    listener = Listener()
    async with anyio.create_task_group() as group:
        await group.start(listener._run, AmqpFeed(amqp_url, app_id, environment, "listener"))
        yield listener
        group.cancel_scope.cancel()

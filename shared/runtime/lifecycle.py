"""Starting and stopping: one task group in `main()` owns everything, and stopping is the reverse of starting."""

import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import TaskGroup, TaskStatus

Worker = Callable[..., Coroutine[Any, Any, None]]
"""A coroutine function that takes `task_status` and calls `started()` on it once it is ready."""


async def wait_for_stop_signal(*, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
    """Return at the first SIGTERM or SIGINT; a second one ends the process at once with status 130."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for _ in signals:
            break
    signal.signal(signal.SIGINT, _leave_at_once)
    signal.signal(signal.SIGTERM, _leave_at_once)


def _leave_at_once(_signal: int, _frame: object) -> None:
    os._exit(130)


@asynccontextmanager
async def running(*workers: Worker) -> AsyncIterator[TaskGroup]:
    """Start each worker in order, wait until it is ready, and cancel all of them at the end.

    A worker that raises ends the block with its error. Enter and leave it in one task.
    """
    async with anyio.create_task_group() as group:
        for worker in workers:
            await group.start(worker)
        yield group
        group.cancel_scope.cancel()

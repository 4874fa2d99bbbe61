"""Admission of a herd: what costs a replica much is done for a few at a time, some wait, and the rest come again later.

A fleet that comes back all at once wants the same large thing at the same moment. What is small, or known already
(deltas, 304), passes by; so do all other requests, which find the event loop and the database free.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

import anyio

from control_plane.domain.errors import OverloadedError
from control_plane.metrics import Metrics

LARGE_BYTES = 64 * 1024
"""Answers below this are sent without asking: they fit into what the kernel buffers anyway."""

HOLD_SECONDS = 10.0
"""How long somebody may hold a place; a slow reader then goes on without one."""

PATIENCE_SECONDS = 4.0
"""How long somebody waits for a place: less than an agent waits for its answer."""

_SPREAD_SECONDS = 5
"""Over how many seconds those who are sent away are spread."""


class Admission:
    """So many places, and so many who may wait for one."""

    def __init__(self, places: int, waiting: int, metrics: Metrics) -> None:
        self._places, self._most_waiting = anyio.Semaphore(places), waiting
        self._waiting, self._refused = 0, metrics.overloaded
        self._random = Random()  # noqa: S311 - a jitter

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place until the block ends, or for `HOLD_SECONDS`.

        Raises:
            OverloadedError: too many wait already, or it took too long.
        """
        await self._acquire()
        leave = _once(self._places.release)
        timer = asyncio.get_running_loop().call_later(HOLD_SECONDS, leave)
        try:
            yield
        finally:
            timer.cancel()
            leave()

    async def _acquire(self) -> None:
        try:
            self._places.acquire_nowait()
        except anyio.WouldBlock:
            await self._wait()

    async def _wait(self) -> None:
        if self._waiting >= self._most_waiting:
            raise self._refusal()
        self._waiting += 1
        try:
            with anyio.fail_after(PATIENCE_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            raise self._refusal() from None
        finally:
            self._waiting -= 1

    def _refusal(self) -> OverloadedError:
        self._refused.inc()
        return OverloadedError(self._random.randint(1, _SPREAD_SECONDS))


def _once(act: Callable[[], object]) -> Callable[[], None]:
    """The act, done the first time only."""
    acts = [act]

    def do() -> None:
        if acts:
            acts.pop()()

    return do

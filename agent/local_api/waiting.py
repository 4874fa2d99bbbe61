"""Long polls: a reader that has the answer already waits until there is another one, instead of asking again and again."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import anyio
from aiohttp import web

from agent.local_api.adapter import Face, Handler, asked_of, response_of
from agent.local_api.asked import Asked, parameter
from agent.local_api.errors import ProblemError, invalid
from agent.local_api.reads import WAIT
from agent.local_api.reply import Reply
from agent.snapshot.model import Snapshot
from shared.domain.document import Fault
from shared.wire.problem import Problem, ProblemType

MAX_WAIT = 600.0
"""Seconds that one request may wait."""
MAX_WAITING = 256
"""Requests that wait at the same time."""
_NOT_MODIFIED = 304
_DURATION = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)(ms|s|m)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}


class Waiting:
    """Asks a face again whenever something changed, until it has something new or the time is over."""

    def __init__(self) -> None:
        self._changed = anyio.Event()
        self._closed = False
        self.waiting = 0

    def handler(self, face: Face) -> Handler:
        """The handler of a face that can be waited for."""

        async def handle(request: web.Request) -> web.StreamResponse:
            asked = await asked_of(request)
            seconds = patience(asked)
            return response_of(await self._answer(face, asked, seconds) if seconds else face(asked))

        return handle

    def swapped(self, _old: Snapshot, _new: Snapshot) -> None:
        """There is a new snapshot."""
        self._wake()

    def time_passed(self, _snapshot: Snapshot, _keys: Sequence[str]) -> None:
        """The clock changed something."""
        self._wake()

    async def close(self, _app: web.Application | None = None) -> None:
        """Answer everybody now, so that a stopping agent does not wait for them."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def _answer(self, face: Face, asked: Asked, seconds: float) -> Reply:
        with self._counted(), anyio.move_on_after(seconds):
            while (reply := face(asked)).status == _NOT_MODIFIED and not self._closed:
                await self._changed.wait()
            return reply
        return face(asked)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        if self.waiting >= MAX_WAITING:
            detail = f"{MAX_WAITING} requests are waiting already."
            raise ProblemError(Problem(ProblemType.UNAVAILABLE, detail, retry_after=5))
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1


def patience(asked: Asked) -> float:
    """For how many seconds a request waits; 0 if it does not.

    Raises:
        ProblemError: `wait` is no such time.
    """
    text = parameter(asked.pairs(), WAIT)
    if not text:
        return 0.0
    found = _DURATION.fullmatch(text)
    seconds = float(found[1]) * _UNITS[found[2]] if found else -1.0
    if not 0 <= seconds <= MAX_WAIT:
        raise invalid(Fault(f"?{WAIT}", f"a time of at most {MAX_WAIT / 60:g} minutes: `30s`, `500ms`, `1m`"))
    return seconds

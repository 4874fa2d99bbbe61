"""Work that one replica does at a time: compete for it, do it while leading, compete again."""

import logging
from collections.abc import Awaitable, Callable

import anyio

from control_plane.domain.errors import UnavailableError
from control_plane.ports.outbox import Leadership, Outbox
from shared.runtime.retry import Backoff

_log = logging.getLogger(__name__)

_COMPETE_WITHIN = 0.5
"""Ceiling in seconds of the wait before competing again, so that a lost leader is replaced quickly."""


async def lead(leadership: Leadership, work: Callable[[Outbox], Awaitable[None]], what: str) -> None:
    """Do `work` whenever this replica leads, until cancelled. Losing the database ends a leadership, not this."""
    backoff = Backoff(cap=_COMPETE_WITHIN)
    away = False

    async def work_while_leading() -> None:
        nonlocal away
        async with leadership.lead() as outbox:
            away = False
            backoff.reset()
            _log.info("leading: %s", what)
            await work(outbox)

    while True:
        try:
            await work_while_leading()
        except* UnavailableError as group:
            if not away:
                _log.warning("not leading: %s", what, extra={"error": str(group.exceptions[0])})
            away = True
        await anyio.sleep(backoff.next())

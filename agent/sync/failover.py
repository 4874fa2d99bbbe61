"""Follow the best feed that works: fall back at once when it fails, come back by itself when it works again.

```text
           entered                    a heartbeat that we cover
DOWN ───▶ TRYING ───────────▶ JOINED ───────────────────────────▶ PROVEN   worse feeds are left
  ▲          │ refused, away     │ broke off, silent                 │
  └──────────┴───────────────────┴───────────────────────────────────┘     worse feeds are followed
```

A feed that was entered but has not proven itself for `GRACE` seconds counts as down for the worse ones: a broker that
takes connections while nobody publishes must not keep us from hearing.
"""

import logging
import math
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import anyio

from agent.ports import Feed, UpstreamRefusedError, UpstreamUnavailableError
from agent.sync.status import Status
from shared.domain.scope import Revisions
from shared.runtime.retry import Backoff
from shared.wire.messages import Heartbeat, MalformedMessageError, Message, UnsupportedSchemaError

DEFAULT_INTERVAL = 3.0
"""Seconds between heartbeats until one says otherwise."""

MAX_INTERVAL = 300.0
"""Nobody may make us wait longer than this between heartbeats, seconds."""

GRACE = 4.0
"""How long the worse feeds wait for a better one that has neither failed nor proven itself, seconds."""

SLOW_RETRY = 30.0
"""Least wait, seconds, after an answer that only an operator or an upgrade can change."""

FeedError = UpstreamUnavailableError | UpstreamRefusedError | UnsupportedSchemaError | MalformedMessageError

_log = logging.getLogger(__name__)


class Listener(Protocol):
    """Who hears what the feeds bring; called synchronously, in order."""

    def joined(self, feed: str) -> None:
        """What is committed from now on will be heard from this feed."""
        ...

    def heard(self, message: Message) -> bool:
        """A message came; for a heartbeat: whether we have all that it tells of."""
        ...

    def left(self, feed: str, error: FeedError) -> None:
        """This feed is not heard any more."""
        ...


class _Standing(StrEnum):
    TRYING = "trying"
    DOWN = "down"
    JOINED = "joined"
    PROVEN = "proven"


@dataclass(slots=True)
class _Candidate:
    """One feed and how it stands."""

    feed: Feed
    standing: _Standing = _Standing.TRYING
    backoff: Backoff = field(default_factory=lambda: Backoff(base=0.25, cap=15.0))
    unproven_since: float = 0.0
    leave: anyio.CancelScope | None = None
    """Set while a better feed could make us leave this one."""

    @property
    def followed(self) -> bool:
        """Whether it is heard."""
        return self.standing in {_Standing.JOINED, _Standing.PROVEN}


class Failover:
    """Keeps one feed followed, the first in the order of preference that works."""

    def __init__(
        self,
        feeds: Sequence[Feed],
        listener: Listener,
        status: Status,
        since: Callable[[], Revisions],
        *,
        grace: float = GRACE,
    ) -> None:
        self._candidates = [_Candidate(each) for each in feeds]
        self._since = since
        self._listener, self._status, self._grace = listener, status, grace
        self._interval = DEFAULT_INTERVAL
        self._changed = anyio.Event()

    async def run(self) -> None:
        """Follow until cancelled."""
        now = anyio.current_time()
        async with anyio.create_task_group() as group:
            for candidate in self._candidates:
                candidate.unproven_since = now
            for rank in range(len(self._candidates)):
                group.start_soon(self._keep_following, rank)

    async def _keep_following(self, rank: int) -> None:
        candidate = self._candidates[rank]
        while True:
            await self._until_needed(rank)
            with anyio.CancelScope() as candidate.leave:
                wait = await self._follow(candidate)
                await anyio.sleep(wait)
            candidate.leave = None

    async def _follow(self, candidate: _Candidate) -> float:
        """Follow until it breaks, or until it is cancelled; returns how long to wait before the next try."""
        try:
            async with candidate.feed.follow(self._since()) as messages:
                self._joined(candidate)
                await self._listen(candidate, messages)
        except UpstreamUnavailableError as error:
            return self._left(candidate, error, error.retry_after)
        except MalformedMessageError as error:
            self._status.malformed += 1
            return self._left(candidate, error)
        except (UpstreamRefusedError, UnsupportedSchemaError) as error:
            return self._left(candidate, error, SLOW_RETRY)
        finally:
            if candidate.followed:  # cancelled: a better one took over
                self._stand(candidate, _Standing.DOWN)
        return 0.0

    def _joined(self, candidate: _Candidate) -> None:
        self._stand(candidate, _Standing.JOINED)
        self._listener.joined(candidate.feed.name)

    def _left(self, candidate: _Candidate, error: FeedError, at_least: float = 0.0) -> float:
        name = candidate.feed.name
        _log.warning("feed lost", extra={"feed": name, "error": str(error)})
        self._status.reconnects += 1
        self._status.failed(name, error)
        self._status.last_error = f"{name}: {error}"
        if isinstance(error, UnsupportedSchemaError):
            self._status.schema_error = self._status.last_error
        self._stand(candidate, _Standing.DOWN)
        self._listener.left(name, error)
        return candidate.backoff.next(at_least)

    def _stand(self, candidate: _Candidate, standing: _Standing) -> None:
        if candidate.standing is _Standing.PROVEN:
            candidate.unproven_since = anyio.current_time()
        candidate.standing = standing
        if standing is _Standing.PROVEN:
            for worse in self._candidates[self._candidates.index(candidate) + 1 :]:
                if worse.leave is not None:
                    worse.leave.cancel()
        followed = sorted(
            (each for each in self._candidates if each.followed), key=lambda each: each.standing is not _Standing.PROVEN
        )
        self._status.following(followed[0].feed.name if followed else "")
        self._changed.set()
        self._changed = anyio.Event()

    async def _until_needed(self, rank: int) -> None:
        """Return once no better feed is, or is about to be, followed."""
        while (wait := self._wait(rank)) > 0:
            with anyio.move_on_after(wait):
                await self._changed.wait()

    def _wait(self, rank: int) -> float:
        """Seconds until `rank` is needed, as far as can be told now."""
        wait, now = 0.0, anyio.current_time()
        for better in self._candidates[:rank]:
            if better.standing is _Standing.PROVEN:
                return math.inf
            if better.standing is not _Standing.DOWN:
                wait = max(wait, better.unproven_since + self._grace - now)
        return wait

    async def _listen(self, candidate: _Candidate, messages: AsyncIterator[Message]) -> None:
        deadline = anyio.current_time() + self._limit
        while True:
            with anyio.CancelScope(deadline=deadline):
                message = await anext(messages, None)
                if message is None:
                    msg = "the stream ended"
                    raise UpstreamUnavailableError(msg)
                if isinstance(message, Heartbeat):
                    self._interval = min(message.interval, MAX_INTERVAL)
                    deadline = anyio.current_time() + self._limit
                if self._listener.heard(message) and candidate.standing is _Standing.JOINED:
                    candidate.backoff.reset()
                    self._status.schema_error = ""
                    self._stand(candidate, _Standing.PROVEN)
                continue
            msg = f"silent for {self._limit:.0f} s"
            raise UpstreamUnavailableError(msg)

    @property
    def _limit(self) -> float:
        """Seconds without a heartbeat after which a feed is dead, whatever its connection says."""
        return self._interval * 3 + 1

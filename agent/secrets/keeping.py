"""One source of secrets: fetched, and again before its lease ends; what was good is kept for as long as that is right."""

import random
import time
from collections.abc import Callable, Mapping

import anyio

from agent.secrets.provider import Fetched, Provider, label
from shared.domain.codec import Json
from shared.runtime.keepers.asking import SecretError
from shared.runtime.retry import Backoff

TIMEOUT = 10.0
"""Seconds that one attempt may take, with all the requests that it needs."""
OFTEN = 5.0
"""Seconds between two looks at what costs next to nothing to look at."""
AT_ONCE = 8
"""Sources that are fetched at the same time."""

_SHORTEST = 1.0


class Keeping:
    """Keeps one source. `found`: there is something good to give out; `known`: there once was; `error`: what failed last."""

    def __init__(
        self,
        source: Mapping[str, str],
        provider: Provider,
        *,
        refresh: float,
        max_stale: float,
        changed: Callable[[], None],
        limiter: anyio.CapacityLimiter,
    ) -> None:
        self.label, self._source, self._provider = label(source), source, provider
        self._refresh, self._max_stale = refresh, max_stale
        self._changed, self._limiter = changed, limiter
        self._fetched: Fetched | None = None
        self._until = self._first_lease = 0.0
        self._backoff = Backoff(base=0.5, cap=30.0)
        self.error, self.denied, self.known = "", False, False
        self.scope = anyio.CancelScope()

    @property
    def found(self) -> bool:
        """Whether there is a value that is still good."""
        return self._fetched is not None

    @property
    def document(self) -> Json:
        """What stands there; only if it was found."""
        return None if self._fetched is None else self._fetched.document

    async def run(self) -> None:
        """Keep it until cancelled."""
        with self.scope:
            while True:
                due = time.monotonic() + await self._attempt()
                if self._fetched is not None and self._until <= due:
                    await _until(self._until)
                    self._let_go()
                await _until(due)

    async def _attempt(self) -> float:
        """Fetch or prolong; in how many seconds to do so again."""
        patience = TIMEOUT if self._fetched is None else min(TIMEOUT, max(0.0, self._until - time.monotonic()))
        try:
            with anyio.fail_after(patience):
                async with self._limiter:
                    fetched = await self._asked()
        except TimeoutError:
            return self._failed(f"no answer within {patience:.3g} s", denied=False)
        except SecretError as error:
            return self._failed(str(error), denied=error.denied)
        return self._took(fetched)

    async def _asked(self) -> Fetched:
        known = self._fetched
        if known is None or not known.renewal:
            return await self._provider.fetch(self._source)
        try:
            renewed = await self._provider.renew(known)
        except SecretError:  # it may have been revoked, or be as old as it may get: then another one
            return await self._provider.fetch(self._source)
        if renewed.lease is not None and renewed.lease < self._first_lease / 2:
            return await self._provider.fetch(self._source)
        return renewed

    def _took(self, fetched: Fetched) -> float:
        known, self._fetched = self._fetched, fetched
        if fetched.lease is not None and (known is None or known.document != fetched.document):
            self._first_lease = fetched.lease
        self._until = time.monotonic() + (self._max_stale if fetched.lease is None else fetched.lease)
        news = known is None or known.document != fetched.document or bool(self.error)
        self.error, self.denied, self.known = "", False, True
        self._backoff.reset()
        if news:
            self._changed()
        if fetched.lease is not None:
            return max(_SHORTEST, fetched.lease * random.uniform(0.5, 0.7))  # noqa: S311 - spreads the fleet
        often = min(OFTEN, self._refresh) if self._provider.often else self._refresh
        return often * random.uniform(0.8, 1.2)  # noqa: S311 - as above

    def _failed(self, why: str, *, denied: bool) -> float:
        if (why, denied) != (self.error, self.denied):
            self.error, self.denied = why, denied
            self._changed()
        return max(_SHORTEST / 4, self._backoff.next())

    def _let_go(self) -> None:
        """Nothing is known any more of what was lent, or of what nobody confirmed for too long."""
        self._fetched = None
        self.error = self.error or "its lease ended"
        self._changed()


async def _until(moment: float) -> None:
    await anyio.sleep(max(0.0, moment - time.monotonic()))

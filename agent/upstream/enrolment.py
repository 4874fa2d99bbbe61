"""Our own credential for the control plane: got for the agent token, shown in its place, renewed before it ends.

It is bound to this instance, lives for an hour, and is kept in memory only. While nobody renews it, it is shown as long as
it is good and the token after that: the agent serves on in any case. A control plane of an earlier version knows nothing of
this, and gets the token.
"""

import logging
import random
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskStatus

from agent.ports import UpstreamRefusedError, UpstreamUnavailableError
from agent.upstream.answers import read
from agent.upstream.endpoints import Endpoints
from agent.upstream.shown import Shown
from shared.domain.codec import Json, MalformedJsonError, decode, encode
from shared.runtime.retry import Backoff
from shared.wire.snapshot import MalformedSnapshotError

MAX_ANSWER = 64 * 1024
FIRST_WITHIN = 0.3
"""Seconds that everything else waits for the first credential: a control plane that is there gives one in a hundredth."""
RENEW_AFTER = 0.6, 0.75
"""Of its life, between which a credential is renewed: agents that were started together do not stay in step."""
LEAST_LIFE = 30.0
"""Seconds; a control plane that says less is not asked more often."""
MOST_LIFE = 7 * 86_400.0
"""Seconds; however long it says, so often we show that we are still there."""
ASK_AGAIN = 300.0
"""Seconds after which one is asked again that knows of no credentials, or refuses us one."""
_UNKNOWN = frozenset({404, 405})
_PATH = "api/v1/agents/enrol"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Credential:
    """What we got. It is renewed at `renew_at` and good until `until`, on anyio's clock."""

    text: str = field(repr=False)
    renew_at: float
    until: float


class Enrolment:
    """Sees to it that whoever calls the control plane shows the best that we have.

    `endpoints` must be its own, with something shown that nobody else shows: it renews with what it is about to replace.
    """

    def __init__(self, endpoints: Endpoints, asked_with: Shown, shown: Shown, instance: str) -> None:
        self._endpoints, self._asked_with, self._shown = endpoints, asked_with, shown
        self._token = shown.text
        self._body = encode({"instance": instance})
        self._held: _Credential | None = None
        self._due = 0.0
        # A credential that is refused again and again must not become a storm; nor must a control plane that is away.
        self._doubts, self._failures = Backoff(base=1.0, cap=60.0), Backoff(base=0.5, cap=15.0)
        shown.token(self._token, settled=False)

    def authorize(self, token: str) -> None:
        """Enrol with this token from now on, and at once."""
        self._token = token
        self._drop(0.0)
        self._shown.doubted.set()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Enrol, and renew in time, until cancelled."""
        await self.begin()
        task_status.started()
        while True:
            with anyio.move_on_after(self._due - anyio.current_time()):
                await self._shown.doubted.wait()
            if self._shown.doubted.is_set():
                self._shown.doubted = anyio.Event()
                self._doubt()
            else:
                await self._attempt()

    async def begin(self) -> None:
        """Enrol, if that can be done at once."""
        with anyio.move_on_after(FIRST_WITHIN):
            await self._attempt()

    def _doubt(self) -> None:
        if self._held is not None:
            _log.warning("the control plane does not take our credential any more: enrolling again")
            self._drop(self._doubts.next())

    def _drop(self, wait: float) -> None:
        """Show the token, and ask for a credential with it in `wait` seconds."""
        self._held, self._due = None, anyio.current_time() + wait
        self._shown.token(self._token, settled=False)

    async def _attempt(self) -> None:
        """Ask once, and decide what is shown until when."""
        now, held, token = anyio.current_time(), self._held, self._token
        if held is not None and now >= held.until:
            self._drop(0.0)
            held = None
        try:
            got = await self._ask(held.text if held else token)
        except UpstreamRefusedError as error:
            if token == self._token:
                self._refused(error, held)
            return
        except UpstreamUnavailableError as error:
            _log.debug("no credential yet", extra={"error": str(error)})
            again = now + self._failures.next(error.retry_after)
            self._due = again if held is None else min(again, held.until)
            return
        if token != self._token:  # we were given another one meanwhile, and ask with that next
            return
        self._failures.reset()
        if held is not None:  # the one before was good to its end
            self._doubts.reset()
        self._held, self._due = got, got.renew_at
        self._shown.credential(got.text)

    def _refused(self, error: UpstreamRefusedError, held: _Credential | None) -> None:
        if held is not None:  # it was revoked; the token may be good
            self._drop(self._doubts.next())
            return
        if error.status in _UNKNOWN:
            _log.info("the control plane gives agents no credentials of their own")
        else:
            _log.warning("the control plane refuses us a credential", extra={"error": str(error)})
        self._due = anyio.current_time() + ASK_AGAIN * random.uniform(0.5, 1.0)  # noqa: S311 - a spread, not a secret
        self._shown.token(self._token, settled=True)

    async def _ask(self, shown: str) -> _Credential:
        now = anyio.current_time()
        self._asked_with.token(shown, settled=True)
        async with self._endpoints.request("POST", _PATH, body=self._body) as response:
            try:
                answer = decode(await read(response, MAX_ANSWER))
                text: Json
                text, life = answer["credential"], min(max(LEAST_LIFE, float(answer["expires_in"])), MOST_LIFE)
            except (MalformedJsonError, MalformedSnapshotError, LookupError, TypeError, ValueError) as error:
                msg = "the control plane's credential for us cannot be read"
                raise UpstreamUnavailableError(msg) from error
        if not isinstance(text, str) or not text.isascii() or not text.isprintable() or " " in text:
            msg = "the control plane's credential for us is none"
            raise UpstreamUnavailableError(msg)
        share = random.uniform(*RENEW_AFTER)  # noqa: S311 - a spread, not a secret
        return _Credential(text, now + life * share, now + life)

"""Whether what we hear and fetch is the control plane's word: asked before anything of it is read.

Keys are learned when they are first needed: the first list is taken as it comes, every later one only if a key that we
know has signed it. We look for new ones before they sign, so that a rotation needs no control plane when it happens. A
control plane that says that it has none is older than signatures; it is believed as long as we know
no keys. Before it could be asked, nobody is believed: who publishes while it is away may be anybody.
"""

import logging
import random
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskStatus

from agent.ports import UntrustedError, UpstreamRefusedError, UpstreamUnavailableError
from agent.sync.remarks import Remarks
from agent.sync.status import Status
from agent.trust.keyring import Keyring
from agent.upstream.answers import read
from agent.upstream.endpoints import Endpoints
from shared.wire.signature import HTTP_HEADER, About, Signature, signatures_in
from shared.wire.snapshot import MalformedSnapshotError

if TYPE_CHECKING:
    from collections.abc import Callable

PATH = "api/v1/signing-keys"
MAX_ANSWER = 64 * 1024
ASK_EVERY = 10.0
"""Seconds between two questions for keys at least: somebody who makes up keys must not make us ask all the time."""
ASK_OLD = 60.0
"""The same of a control plane that says that it has none."""
ASK_AWAY = 1.0
"""The same while it is away."""
LOOK_EVERY = 600.0, 1200.0
"""Seconds, between which we look for new keys: they are told an hour before they sign."""
QUIET = 600.0
"""Seconds without anything refused after which it is no remark any more."""
REMARK = "signature"
_UNKNOWN = frozenset({404, 405})

_log = logging.getLogger(__name__)


class Trust:
    """Keys, and what becomes of what they did not sign."""

    def __init__(self, keyring: Keyring, endpoints: Endpoints, status: Status, remarks: Remarks) -> None:
        self._keyring, self._endpoints, self._status, self._remarks = keyring, endpoints, status, remarks
        self._ask_from, self._has_none = float("-inf"), False
        self._asking = anyio.Lock()
        self._refused_at: dict[str, float] = {}
        self.refused: Callable[[], None] = lambda: None
        """Called when something was refused."""

    async def verify(self, about: About, place: str, body: bytes, signature: Signature | None, channel: str) -> None:
        if not self._keyring or (signature is not None and not self._keyring.knows(signature.kid)):
            await self._ask()
        if not self._keyring and self._has_none:
            return
        if not self._keyring:
            msg = "the control plane's keys are not known yet, so nothing can be verified"
            raise UpstreamUnavailableError(msg, retry_after=ASK_AWAY)
        if signature is None:
            raise self._refusal(channel, "is not signed")
        if not self._keyring.knows(signature.kid):
            raise self._refusal(channel, "is signed by a key that is not the control plane's, as far as is known")
        if not self._keyring.good(about, place, body, signature):
            raise self._refusal(channel, "is not what was signed")
        self._well(channel)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Learn of keys before they sign, until cancelled."""
        task_status.started()
        while True:
            await anyio.sleep(random.uniform(*LOOK_EVERY))  # noqa: S311 - a spread, not a secret
            await self.look()

    async def look(self) -> None:
        """Ask for keys that we do not need yet, and forget those that are over."""
        if self._keyring:  # the first ones are asked for when they are needed
            await self._ask()

    def refuse(self, channel: str, why: str) -> None:
        """Something came whose signature need not even be looked at."""
        self._refusal(channel, why)

    async def _ask(self) -> None:
        """Learn the control plane's keys, unless it was asked a moment ago."""
        async with self._asking:
            if anyio.current_time() < self._ask_from:
                return
            self._ask_from = anyio.current_time() + ASK_EVERY
            try:
                async with self._endpoints.request("GET", PATH) as response:
                    signatures = signatures_in(response.headers.get(HTTP_HEADER, ""))
                    body = await read(response, MAX_ANSWER)
            except (UpstreamRefusedError, UpstreamUnavailableError, MalformedSnapshotError) as error:
                self._has_none = self._has_none or _is_older(error)
                self._ask_from = anyio.current_time() + (ASK_OLD if self._has_none else ASK_AWAY)
                _log.debug("no keys of the control plane", extra={"error": str(error)})
                return
        if not self._keyring.learn(body, signatures):
            _log.error("the control plane's list of keys is not signed by any that is known")

    def _refusal(self, channel: str, why: str) -> UntrustedError:
        detail = f"what came by {channel} {why}: it was refused"
        self._status.untrusted += 1
        self._status.last_error = detail
        self._refused_at[channel] = anyio.current_time()
        self._remarks.tell(REMARK, channel, detail)
        self.refused()
        return UntrustedError(detail)

    def _well(self, channel: str) -> None:
        at = self._refused_at.get(channel)
        if at is not None and anyio.current_time() - at > QUIET:
            del self._refused_at[channel]
            self._remarks.withdraw(REMARK, channel)


def _is_older(error: Exception) -> bool:
    """Whether it says that there is no such thing; who sends us away or elsewhere says nothing of keys."""
    return isinstance(error, UpstreamRefusedError) and error.status in _UNKNOWN

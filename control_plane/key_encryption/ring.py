"""All key-encryption keys that this replica may use (port `KeyEncryption`): one encrypts, each decrypts what it encrypted.

So an installation moves from one key, or from one keeper of keys, to another while it runs.
"""

import logging
from collections.abc import Sequence

import anyio
from anyio.abc import TaskStatus

from control_plane.domain.errors import KeyLostError, UnavailableError
from control_plane.domain.keys import WrappedKey
from control_plane.ports.keys import KeyEncryption
from control_plane.ports.probes import DependencyState

DEPENDENCY = "key-encryption"
LOOK_EVERY = 60.0
"""Seconds between two looks at the keys that others have for us."""

_log = logging.getLogger(__name__)


class KeyRing:
    """The first keeper encrypts."""

    def __init__(self, keepers: Sequence[KeyEncryption]) -> None:
        self._keepers = keepers
        self._trouble = ""

    @property
    def id(self) -> str:
        return self._keepers[0].id

    def known(self, name: str) -> bool:
        return any(each.known(name) for each in self._keepers)

    async def look(self) -> None:
        """See whether all keys are there.

        Raises:
            UnavailableError: one is not, or may not be used.
        """
        for each in self._keepers:
            await each.look()

    async def wrap(self, key: bytes, context: bytes) -> WrappedKey:
        return await self._keepers[0].wrap(key, context)

    async def unwrap(self, wrapped: WrappedKey, context: bytes) -> bytes:
        for each in self._keepers:
            if each.known(wrapped.encrypted_by):
                return await each.unwrap(wrapped, context)
        raise KeyLostError(wrapped.encrypted_by)

    async def probe(self) -> DependencyState:
        """What the last look saw. What is in use already works without it, so a replica is ready all the same."""
        return DependencyState(DEPENDENCY, ok=not self._trouble, required=False, detail=self._trouble)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Look now and then, until cancelled."""
        task_status.started()
        while True:
            await anyio.sleep(LOOK_EVERY)
            await self.look_again()

    async def look_again(self) -> None:
        """Look, and tell a change in the log; never raises for a keeper that is away."""
        trouble = ""
        try:
            await self.look()
        except UnavailableError as error:
            trouble = str(error)
        if trouble != self._trouble:
            _log.log(logging.WARNING if trouble else logging.INFO, "key encryption", extra={"trouble": trouble})
        self._trouble = trouble

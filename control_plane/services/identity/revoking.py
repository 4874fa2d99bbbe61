"""Revocations as every replica has them in memory: asked for each token, read anew every second."""

import logging
from collections.abc import Iterable
from datetime import datetime

import anyio
from anyio.abc import TaskStatus

from control_plane.domain.access.revocation import LONGEST_TOKEN, Revocation, is_revoked
from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import UnavailableError
from control_plane.ports.credentials import Revocations

LOOK_EVERY = 1.0
"""Seconds between two looks: a revocation made at another replica is known here after at most this and a moment."""

_log = logging.getLogger(__name__)


class Revoking:
    """Makes revocations, and knows those of all replicas. While the database is away, those that it knew last."""

    def __init__(self, store: Revocations) -> None:
        self._store = store
        self._known: list[Revocation] = []
        self._before: dict[str, datetime] = {}

    async def load(self) -> None:
        """Read all of them.

        Raises:
            UnavailableError: the store is away.
        """
        self._known = await self._store.list()
        self._before = {each.subject: each.before for each in self._known}

    async def revoke(self, subject: str, reason: str, by: Attribution) -> Revocation:
        """End all tokens of a subject: here at once. What others issue before they know of it ends with them."""
        return self._known_now(await self._store.add(subject, reason, by))

    async def end(self, subject: str, reason: str, by: Attribution) -> None:
        """End all tokens of a subject that is no more, whenever a replica that cannot hear of it issued them."""
        self._known_now(await self._store.add(subject, reason, by, LONGEST_TOKEN))

    def _known_now(self, made: Revocation) -> Revocation:
        self._before[made.subject] = made.before
        return made

    @property
    def known(self) -> list[Revocation]:
        """As they were read last."""
        return self._known

    def ends(self, subjects: Iterable[str], issued_at: datetime) -> bool:
        """Whether a token is revoked."""
        return is_revoked(self._before, subjects, issued_at)

    def until(self, subjects: Iterable[str]) -> datetime | None:
        """Until when tokens of these are revoked, the latest; None if none is."""
        return max((self._before[each] for each in subjects if each in self._before), default=None)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Learn of what others revoke, until cancelled."""
        task_status.started()
        away = False
        while True:
            await anyio.sleep(LOOK_EVERY)
            try:
                await self.load()
                away = False
            except UnavailableError as error:
                if not away:
                    _log.warning("revocations cannot be read; those known go on", extra={"reason": str(error)})
                away = True

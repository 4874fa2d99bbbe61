"""Records what known callers were denied, without letting them fill the audit chain.

The first denial of a principal and a permission is recorded at once, before it is answered. Those that follow are
counted, and told in one record a minute. Callers whom nobody knows leave no record at all: they are logged and counted.
"""

import logging
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

import anyio
from anyio.abc import TaskStatus

from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import UnavailableError
from control_plane.services.audit import Audit
from shared.domain.codec import Json
from shared.runtime.clock import Clock

EVERY = 60.0
"""Seconds between two records of one kind."""
LOOK = 5.0
"""Seconds between two looks at what there is to tell."""
MAX_KINDS = 10_000
MAX_OBJECTS = 20
"""Different things that one record names; the rest is counted as `other`."""
_LAST_CHANCE = 2.0
"""Seconds in which a replica that stops tells what it counted."""

DENIED = "denied"
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Tally:
    """What was denied since the last record of this kind, and to whom."""

    by: Attribution
    recorded_at: float
    first: datetime
    last: datetime
    objects: Counter[str] = field(default_factory=Counter)


class Denials:
    """Tells the audit chain. What one replica counts is bounded: kinds, objects of each, and records a minute."""

    def __init__(self, audit: Audit, clock: Clock) -> None:
        self._audit, self._clock = audit, clock
        self._kinds: dict[tuple[str, str], _Tally] = {}

    async def add(self, by: Attribution, permission: str, object_: str, detail: Json) -> None:
        """Take note of a denial. Never raises: whoever is denied is denied, also while the chain cannot be written."""
        kind, now = (by.principal, permission), self._clock.now()
        tally = self._kinds.get(kind)
        if tally is None and len(self._kinds) < MAX_KINDS:
            self._kinds[kind] = tally = _Tally(by, self._clock.monotonic(), now, now)
            if await self._record(by, permission, object_, detail):
                return
        if tally is not None:
            tally.first = tally.first if tally.objects else now
            tally.last, tally.by = now, by
            known = object_ in tally.objects or len(tally.objects) < MAX_OBJECTS
            tally.objects[object_ if known else "other"] += 1

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Tell now and then what was counted, until cancelled; then what is left."""
        task_status.started()
        try:
            while True:
                await anyio.sleep(LOOK)
                await self.tell()
        finally:
            with anyio.move_on_after(_LAST_CHANCE, shield=True):
                await self.tell(everything=True)

    async def tell(self, *, everything: bool = False) -> None:
        """Record what was counted and is due, and forget what has gone quiet."""
        now = self._clock.monotonic()
        due = [kind for kind, each in self._kinds.items() if everything or now - each.recorded_at >= EVERY]
        for kind in due:
            tally = self._kinds[kind]
            if not tally.objects:
                del self._kinds[kind]
                continue
            objects, tally.objects, tally.recorded_at = tally.objects, Counter(), now
            detail = {
                "count": objects.total(),
                "objects": dict(objects),
                "first": tally.first.isoformat(),
                "last": tally.last.isoformat(),
            }
            (some_object, _), *others = objects.most_common()
            if not await self._record(tally.by, kind[1], "several" if others else some_object, detail):
                tally.objects.update(objects)

    async def _record(self, by: Attribution, permission: str, object_: str, detail: Json) -> bool:
        try:
            await self._audit.record(by, permission, object_, detail, DENIED)
        except UnavailableError as error:
            _log.warning("a denial could not be recorded yet", extra={"reason": str(error)})
            return False
        return True

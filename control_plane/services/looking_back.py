"""What an app/environment saw at any revision or instant, and the way in which the past is read page by page."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from control_plane.domain.errors import InvalidError, NotFoundError
from control_plane.domain.history import PastEntry, When, effective, resolvable
from control_plane.ports.history import History, NamedSnapshots
from control_plane.ports.registry import Registry
from shared.domain.entry import Kind
from shared.domain.resolution import Effective
from shared.domain.scope import Lineage, Scope
from shared.wire.problem import Violation

_ALL_BUT_ONE = 2
ROUND = 1_000
"""Keys looked at in one round trip."""
EXAMINED = 10_000
"""Keys looked at for one page; if so many show nothing, the page is short and its cursor goes on behind them."""


class _Keyed(Protocol):
    @property
    def key(self) -> str: ...


K = TypeVar("K", bound=_Keyed)


@dataclass(frozen=True, slots=True)
class Past:
    """A page of what was effective at a revision. The next one begins after `following`, if there is one."""

    revision: int
    entries: tuple[PastEntry, ...]
    following: str | None


class LookingBack:
    """Reads the past. What stood at a revision never changes, so pages of one revision fit together."""

    def __init__(self, history: History, registry: Registry, named: NamedSnapshots) -> None:
        self._history, self._registry, self._named = history, registry, named

    async def revision(self, when: When, where: str) -> int:
        """The revision that is meant, `where` being how pointers to members of the request begin (`?` or `/`).

        Raises:
            InvalidError: it lies in the future.
            NotFoundError: there is no snapshot of this name.
        """
        if [when.revision, when.at, when.snapshot].count(None) < _ALL_BUT_ONE:
            raise InvalidError([Violation(f"{where}at", "give one of revision, at and snapshot")])
        if when.snapshot is not None:
            return (await self._named.get(when.snapshot)).revision
        moment = await self._history.moment(_in_utc(when.at, where))
        if moment.ahead:
            raise InvalidError([Violation(f"{where}at", f"lies in the future; revision {moment.now} is the latest")])
        if when.revision is not None and when.revision > moment.now:
            raise InvalidError([Violation(f"{where}revision", f"is not committed yet; {moment.now} is the latest")])
        if when.revision is not None:
            return when.revision
        return moment.now if moment.then is None else moment.then

    async def page(self, app_id: str, environment: str, revision: int, *, prefix: str, after: str, limit: int) -> Past:
        """One page of what an app/environment saw at a revision, by key.

        Raises:
            NotFoundError: the application or the environment is not registered.
        """
        await self.require_registered(app_id, environment)
        lineage = Lineage.of(app_id, environment)

        async def examine(keys: Sequence[str]) -> list[PastEntry]:
            return list(effective(await self._history.entries(lineage, keys, revision)).values())

        found, following = await self.browse(lineage, examine, prefix=prefix, after=after, limit=limit)
        return Past(revision, tuple(found), following)

    async def everything(
        self, app_id: str, environment: str, revision: int, keys: Collection[str] | None = None
    ) -> dict[str, PastEntry]:
        """All that an app/environment saw at a revision, or what it saw of some keys.

        Raises:
            NotFoundError: the application or the environment is not registered.
        """
        await self.require_registered(app_id, environment)
        lineage = Lineage.of(app_id, environment)
        if keys is not None:
            return effective(await self._history.entries(lineage, sorted(keys), revision))
        return effective(await self.entries(lineage, revision))

    async def resolvable(
        self, app_id: str, environment: str, revision: int, keys: Collection[str] | None
    ) -> dict[str, Effective]:
        """What an app/environment saw at a revision: some keys, and everything if they may refer to others."""
        await self.require_registered(app_id, environment)
        lineage = Lineage.of(app_id, environment)
        if keys is not None:
            found = resolvable(await self._history.entries(lineage, sorted(keys), revision))
            if all(each.entry.kind is Kind.VALUE and not each.entry.rollout for each in found.values()):
                return found
        return resolvable(await self.entries(lineage, revision))

    async def entries(self, scopes: Collection[Scope], revision: int, prefix: str = "") -> list[PastEntry]:
        """Everything that stood in these scopes at a revision under keys with this prefix."""
        found: list[PastEntry] = []
        after: str | None = ""
        while after is not None:
            keys = await self._history.keys(scopes, prefix=prefix, after=after, limit=ROUND)
            found += await self._history.entries(scopes, keys, revision)
            after = keys[-1] if len(keys) == ROUND else None
        return found

    async def browse(
        self,
        scopes: Collection[Scope],
        examine: Callable[[Sequence[str]], Awaitable[list[K]]],
        *,
        prefix: str,
        after: str,
        limit: int,
    ) -> tuple[list[K], str | None]:
        """What `examine` finds among the keys of these scopes, and the key after which the next page begins."""
        found: list[K] = []
        examined, size = 0, limit + 1
        while True:
            keys = await self._history.keys(scopes, prefix=prefix, after=after, limit=size)
            found += await examine(keys)
            if len(found) > limit:
                return found[:limit], found[limit - 1].key
            if len(keys) < size:
                return found, None
            after, examined, size = keys[-1], examined + size, ROUND
            if examined >= EXAMINED:
                return found, after

    async def require_registered(self, app_id: str, environment: str) -> None:
        """Say which of the two names is unknown, if one is.

        Raises:
            NotFoundError: the application or the environment is not registered.
        """
        app = await self._registry.get_app(app_id)
        if environment not in app.environments:
            kind = "environment"
            raise NotFoundError(kind, f"{app_id}/{environment}")

    async def require_app(self, app_id: str) -> None:
        """Say that an application is unknown, if it is.

        Raises:
            NotFoundError: it is not registered.
        """
        await self._registry.get_app(app_id)


def _in_utc(at: datetime | None, where: str) -> datetime | None:
    """The same instant in UTC; at both ends of the calendar there may be none."""
    try:
        return None if at is None else at.astimezone(UTC)
    except OverflowError as error:
        raise InvalidError([Violation(f"{where}at", "lies outside of the calendar")]) from error

"""Comparing: what two environments see, or two scopes hold, at two moments."""

from collections.abc import Sequence
from dataclasses import dataclass

from control_plane.domain.history import PastEntry, When, effective, same_entry, same_exposure
from control_plane.ports.history import History
from control_plane.services.looking_back import LookingBack
from shared.domain.scope import Lineage, Scope


@dataclass(frozen=True, slots=True)
class Side:
    """One side: what an app/environment sees, or (`alone`) what one scope holds, masks included."""

    scope: Scope
    when: When
    alone: bool = False

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """Where its entries stand."""
        if self.alone or self.scope.app_id is None or self.scope.environment is None:
            return (self.scope,)
        return Lineage.of(self.scope.app_id, self.scope.environment)


@dataclass(frozen=True, slots=True)
class Pair:
    """What both sides have for a key; None: nothing."""

    key: str
    left: PastEntry | None
    right: PastEntry | None
    differs: bool

    @property
    def sides(self) -> tuple[PastEntry | None, PastEntry | None]:
        """Left and right."""
        return self.left, self.right

    @property
    def sensitive(self) -> bool:
        """Whether one side is a secret, so that nothing is told but whether they differ."""
        return any(each is not None and each.sensitive for each in self.sides)


class Comparing:
    """Compares two sides key by key."""

    def __init__(self, history: History, looking_back: LookingBack) -> None:
        self._history, self._looking_back = history, looking_back

    async def revision(self, side: Side, name: str) -> int:
        """The revision that a side is looked at.

        Raises:
            NotFoundError: the side's application or environment is not registered.
            InvalidError: the side's moment lies in the future.
        """
        await self._require_registered(side.scope)
        return await self._looking_back.revision(side.when, f"?{name}@")

    async def page(
        self,
        sides: tuple[Side, Side],
        revisions: tuple[int, int],
        *,
        everything: bool,
        prefix: str,
        after: str,
        limit: int,
    ) -> tuple[list[Pair], str | None]:
        """Keys that differ (or all that one side has), and the key after which the next page begins."""
        left, right = sides

        async def examine(keys: Sequence[str]) -> list[Pair]:
            here = await self._seen(left, keys, revisions[0])
            there = await self._seen(right, keys, revisions[1])
            pairs = (_pair(key, here.get(key), there.get(key)) for key in sorted(here.keys() | there.keys()))
            return [each for each in pairs if each.differs or everything]

        scopes = tuple(dict.fromkeys((*left.scopes, *right.scopes)))
        return await self._looking_back.browse(scopes, examine, prefix=prefix, after=after, limit=limit)

    async def _seen(self, side: Side, keys: Sequence[str], revision: int) -> dict[str, PastEntry]:
        entries = await self._history.entries(side.scopes, keys, revision)
        return {each.key: each for each in entries if each.live} if side.alone else effective(entries)

    async def _require_registered(self, scope: Scope) -> None:
        if scope.app_id is not None and scope.environment is not None:
            await self._looking_back.require_registered(scope.app_id, scope.environment)
        elif scope.app_id is not None:
            await self._looking_back.require_app(scope.app_id)


def _pair(key: str, left: PastEntry | None, right: PastEntry | None) -> Pair:
    return Pair(key, left, right, not (same_entry(left, right) and same_exposure(left, right)))

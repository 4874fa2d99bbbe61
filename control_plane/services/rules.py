"""What this replica knows of the rules that changes are checked against: policies, schemas, environments.

They are kept in memory, so that a change that breaks none of them costs no read. A draft carries the revision of the
rules that it was checked against; the commit refuses it if they moved, and then they are read anew.
"""

from dataclasses import dataclass
from functools import cached_property

import anyio

from control_plane.domain.rules import RuleSet
from control_plane.domain.schema import Checker
from control_plane.ports import RuleBook
from shared.domain.scope import Scope


@dataclass(frozen=True)
class Ruling:
    """The rules at one revision, ready for use."""

    rules: RuleSet
    checkers: tuple[Checker, ...]

    @property
    def revision(self) -> int:
        """The revision of these rules."""
        return self.rules.revision

    @cached_property
    def environments_of(self) -> dict[str, tuple[str, ...]]:
        """The environments of each application."""
        found: dict[str, list[str]] = {}
        for app_id, environment in self.rules.environments:
            found.setdefault(app_id, []).append(environment)
        return {app_id: tuple(each) for app_id, each in found.items()}

    def reached(self, scope: Scope) -> list[tuple[str, str]]:
        """The app/environment pairs that see this scope."""
        if scope.app_id is None:
            return list(self.rules.environments)
        known = self.environments_of.get(scope.app_id, ())
        return [(scope.app_id, each) for each in known if scope.environment in {None, each}]

    def about(self, scope: Scope, key: str) -> list[Checker]:
        """The schemas that have a say in what stands in this scope for this key."""
        return [each for each in self.checkers if each.concerns(scope) and each.covers(key)]


class Rules:
    """Keeps the rules, and reads them anew when they have moved."""

    def __init__(self, book: RuleBook) -> None:
        self._book = book
        self._ruling: Ruling | None = None
        self._compiled: dict[object, Checker] = {}
        self._reading = anyio.Lock()

    async def current(self) -> Ruling:
        """The rules as they were when they were read last; read now if they never were."""
        return self._ruling or await self.refresh()

    async def refresh(self) -> Ruling:
        """Read the rules. Those who ask at the same time wait for one reading.

        Raises:
            UnavailableError: the database is away.
        """
        known = self._ruling
        async with self._reading:
            if self._ruling is None or self._ruling is known:
                self._ruling = self._ready(await self._book.rules())
            return self._ruling

    def _ready(self, rules: RuleSet) -> Ruling:
        self._compiled = {
            (each.id, each.version): self._compiled.get((each.id, each.version))
            or Checker(each.app_id, each.pattern, each.document)
            for each in rules.schemas
        }
        return Ruling(rules, tuple(self._compiled.values()))

"""What this replica knows of the rules that changes are checked against: policies, schemas, environments.

They are kept in memory, so that a change that breaks none of them costs no read. A draft carries the revision of the
rules that it was checked against; the commit refuses it if they moved, and then they are read anew.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import anyio

from control_plane.domain.effects import Reached
from control_plane.domain.guards import DEFAULTS, Guard, Setting, settle
from control_plane.domain.policy import Requirements, requirements
from control_plane.domain.rules import RuleSet
from control_plane.domain.schema import Checker
from control_plane.ports.rules import RuleBook
from shared.domain.scope import Scope

_REMEMBERED = 10_000
"""Combinations of scopes whose guards are remembered as settled."""


@dataclass(frozen=True)
class Ruling:
    """The rules at one revision, ready for use."""

    rules: RuleSet
    checkers: tuple[Checker, ...]
    _guards: dict[frozenset[Scope], dict[Guard, Setting]] = field(default_factory=dict)

    @property
    def revision(self) -> int:
        """The revision of these rules."""
        return self.rules.revision

    @cached_property
    def reached(self) -> Reached:
        """Which environments see a scope."""
        return Reached(self.rules.environments)

    def guards(self, *scopes: Scope) -> Mapping[Guard, Setting]:
        """How strict the guards are for a change of these scopes."""
        if not self.rules.policies:
            return DEFAULTS
        wanted = frozenset(scopes)
        if wanted not in self._guards:
            if len(self._guards) >= _REMEMBERED:
                self._guards.clear()
            self._guards[wanted] = settle([each.guards for each in self.required(wanted).policies])
        return self._guards[wanted]

    def required(self, scopes: Iterable[Scope]) -> Requirements:
        """What the policies ask of a change of these scopes."""
        return requirements(self.rules.policies, scopes, self.rules.environments)

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

    async def fresh(self) -> Ruling:
        """The rules as they are now: where somebody is refused by them, or only looks at them.

        Raises:
            UnavailableError: the database is away.
        """
        ruling = await self.current()
        return ruling if ruling.revision == await self._book.revision() else await self.refresh()

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
            (each.id, each.version): self._compiled.get((each.id, each.version)) or Checker.of(each)
            for each in rules.schemas
        }
        return Ruling(rules, tuple(self._compiled.values()))

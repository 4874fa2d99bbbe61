"""Hold a draft against schemas and guards before it is committed.

What can be told from the draft and the rules in memory is told without a read. What stands is read only where a schema
is about one of the keys, or where the operations are enough to shrink or grow a snapshot by much; the draft then names
the revision that it was checked at, and the commit refuses it if its keys moved since. The guards about types and
reused keys are the commit's own. So it is with references: they are followed where an operation has some, or where the
commit finds that it touches what others refer to.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice

import anyio
from anyio.lowlevel import checkpoint

from control_plane.domain.change import Draft, Forced, Op, Operation
from control_plane.domain.content import key_of, stored_references
from control_plane.domain.effects import Effects, Standing, Versions, effects, with_secrecy
from control_plane.domain.errors import MAX_TOLD, GuardedError, InvalidError, TooLargeError, UnfitError
from control_plane.domain.fitness import Fitness
from control_plane.domain.gate import Obstacle
from control_plane.domain.gate import Standing as Obstructing
from control_plane.domain.guards import Guard, Hit, Mode
from control_plane.domain.links import Dependant, Links
from control_plane.domain.preview import MAX_NAMES, Some
from control_plane.domain.schema import Checker
from control_plane.domain.secrecy import Warning as Suspicion
from control_plane.domain.sizes import may_resize, size_hits
from control_plane.domain.unfit import Unfit
from control_plane.ports.rules import RuleBook
from control_plane.services.rules import Ruling
from shared.domain.codec import decode
from shared.domain.scope import Scope

CHECKING_SECONDS = 5
"""How long values are held against schemas before a change is refused as too large to be checked."""
_MUCH = 10_000
"""Keys of environments from which on their differences are computed aside, while others get their turn."""
_AT_ONCE = 100
"""Differences that are checked before others get their turn."""


@dataclass(frozen=True, slots=True)
class Examination:
    """All that can be said about a draft. `unfit` are the first violations of `unfit_total`.

    `operations` are the draft's, all of whose puts say whether their values are secrets.
    """

    effects: Effects
    unfit: tuple[Unfit, ...]
    unfit_total: int
    hits: tuple[Hit, ...]
    revision: int
    operations: tuple[Operation, ...]
    rollouts: tuple[Obstacle, ...]
    unforeseen: tuple[Suspicion, ...] = ()
    dependants: Some[Dependant] = field(default_factory=lambda: Some(0, ()))


class Checks:
    """Vets drafts on their way into the commit, and examines them for previews."""

    def __init__(self, book: RuleBook) -> None:
        self._book = book

    async def vet(self, draft: Draft, ruling: Ruling, *, linked: bool = False) -> Draft:
        """The draft as it may be committed under these rules. `linked`: references are to be followed in any case.

        Raises:
            InvalidError: references lead nowhere, or in a circle, or what others refer to would be gone.
            UnfitError: an effective value would not be what its schema allows.
            GuardedError: guards refuse it, and it is not forced.
        """
        operations = watched(draft.operations, ruling)
        hits = plain_hits(operations, ruling)
        checkers = _checkers(operations, ruling)
        resizes = may_resize(operations, ruling.guards(*_scopes(operations)), least=Mode.REFUSE)
        checked: int | None = None
        if checkers or resizes:
            found = await self._examine(operations, ruling, checkers, resizes=resizes)
            if found.unfit:
                raise UnfitError(found.unfit, found.unfit_total)
            hits += found.hits
            checked = found.revision
        keys: tuple[str, ...] | None = None
        if linked or any(each.refs for each in operations):
            revision, links = await self._links(operations, ruling)
            checked = revision if checked is None else min(checked, revision)
            keys = links.keys
            await _require_linked(links)
        forced = draft.forced
        if refusing := [each for each in hits if each.refuses]:
            if forced is None:
                raise GuardedError(refusing)
            forced = Forced(forced.reason, tuple(sorted({each.guard for each in refusing})))
        return replace(
            draft,
            operations=operations,
            forced=forced,
            rules_revision=ruling.revision,
            checked_revision=checked,
            linked=keys,
        )

    async def examine(self, operations: Sequence[Operation], ruling: Ruling, versions: Versions) -> Examination:
        """Everything about these operations but what the commit itself looks after; nothing is refused."""
        resizes = may_resize(operations, ruling.guards(*_scopes(operations)), least=Mode.WARN)
        checkers = _checkers(operations, ruling)
        found = await self._examine(operations, ruling, checkers, resizes=resizes, versions=versions)
        revision, links = await self._links(operations, ruling)
        await _require_linked(links)
        dependants = Some(*await anyio.to_thread.run_sync(links.dependants, MAX_NAMES))
        return replace(
            found,
            hits=(*plain_hits(operations, ruling), *found.hits),
            revision=min(revision, found.revision),
            unforeseen=tuple(links.unforeseen()),
            dependants=dependants,
        )

    async def _links(self, operations: Sequence[Operation], ruling: Ruling) -> tuple[int, Links]:
        """What refers to what around the operations, and the revision of that."""
        touched = sorted({each.key for each in operations})
        refs = sorted({key_of(ref) for each in operations for ref in stored_references(each)})
        revision, nodes = await self._book.links(touched, refs, _apps(operations))
        return revision, Links(operations, nodes, ruling.reached)

    async def _examine(
        self,
        operations: Sequence[Operation],
        ruling: Ruling,
        checkers: Sequence[Checker],
        *,
        resizes: bool,
        versions: Versions | None = None,
    ) -> Examination:
        apps = _apps(operations)
        stand = await self._book.stand(sorted({each.key for each in operations}), apps)
        operations = with_secrecy(operations, stand.secrets)
        compute = partial(effects, operations, stand.entries, ruling.reached, versions)
        aside = len(operations) * len(ruling.reached.by_any(_scopes(operations))) > _MUCH
        done = await anyio.to_thread.run_sync(compute) if aside else compute()
        unfit, total = await _unfit(Fitness(checkers, operations), done)
        hits: tuple[Hit, ...] = ()
        if resizes:
            sizes = await self._book.sizes(apps)
            hits = tuple(size_hits(sizes, done.differences, lambda pair: ruling.guards(Scope(*pair))))
        rollouts = tuple(written_over(operations, stand.entries))
        return Examination(done, tuple(unfit), total, hits, stand.revision, tuple(operations), rollouts)


def watched(operations: Sequence[Operation], ruling: Ruling) -> tuple[Operation, ...]:
    """The operations with the guards that the commit looks after, as strict as each one's scope wants them.

    And with what they refer to.
    """
    found = []
    for each in operations:
        guards = ruling.guards(each.scope)
        types, reuse = guards[Guard.TYPE_CHANGE].mode, guards[Guard.KEY_REUSE].mode
        if each.puts_back:  # an undo is one step: what readers knew is no reason to stop it
            types, reuse = Mode.WARN if types is Mode.REFUSE else types, Mode.OFF
        found.append(replace(each, type_change=types, key_reuse=reuse, refs=stored_references(each)))
    return tuple(found)


def written_over(operations: Sequence[Operation], standing: Standing) -> Iterator[Obstacle]:
    """The rollouts in exposure that operations would end without being asked to."""
    for each in operations:
        entry = standing.get(each.key, {}).get(each.scope)
        if entry is not None and entry.rollout and each.op is not Op.ROLLOUT:
            found = decode(entry.rollout)
            detail = f"{each.key} ({each.scope}) is under the rollout {found['id']}: promote or abort it first, or force the change."
            yield Obstacle(Obstructing.ROLLOUT, detail)


def plain_hits(operations: Sequence[Operation], ruling: Ruling) -> tuple[Hit, ...]:
    """The guards that can be told from the draft and the rules alone."""
    scopes = _scopes(operations)
    guards = ruling.guards(*scopes)
    hits: list[Hit] = []
    everywhere = guards[Guard.GLOBAL_SCOPE]
    if Scope() in scopes and everywhere.mode is not Mode.OFF:
        detail = "The change stands in the global scope: every application sees it."
        hits.append(Hit(Guard.GLOBAL_SCOPE, everywhere.mode, detail))
    many = guards[Guard.ENVIRONMENTS]
    reached = len(ruling.reached.by_any(scopes))
    if many.mode is not Mode.OFF and reached > many.numbers["limit"]:
        detail = f"The change reaches {reached:,} environments, more than {many.numbers['limit']:g} at once."
        hits.append(Hit(Guard.ENVIRONMENTS, many.mode, detail))
    return tuple(hits)


async def _require_linked(links: Links) -> None:
    """Make sure that all references lead somewhere."""
    violations = await anyio.to_thread.run_sync(lambda: tuple(islice(links.violations(), MAX_TOLD)))
    if violations:
        raise InvalidError(violations)


async def _unfit(fitness: Fitness, done: Effects) -> tuple[list[Unfit], int]:
    unfit: list[Unfit] = []
    total, deadline = 0, anyio.current_time() + CHECKING_SECONDS
    for start in range(0, len(done.differences), _AT_ONCE):
        for each in fitness.of_all(done.differences[start : start + _AT_ONCE]):
            total += 1
            if len(unfit) < MAX_TOLD:
                unfit.append(each)
        if anyio.current_time() > deadline:
            limit = "checking_seconds"
            raise TooLargeError(limit, CHECKING_SECONDS, "seconds for holding values against schemas")
        await checkpoint()
    return unfit, total


def _checkers(operations: Sequence[Operation], ruling: Ruling) -> list[Checker]:
    return [
        checker
        for checker in ruling.checkers
        if any(checker.concerns(each.scope) and checker.covers(each.key) for each in operations)
    ]


def _scopes(operations: Sequence[Operation]) -> set[Scope]:
    return {each.scope for each in operations}


def _apps(operations: Sequence[Operation]) -> list[str] | None:
    """The applications that see the operations; None for all."""
    found = {each.scope.app_id for each in operations}
    return None if None in found else sorted(each for each in found if each is not None)

"""Restoring: what takes an app/environment back to what it was at a revision or an instant."""

from collections.abc import Iterator, Mapping
from enum import StrEnum

from control_plane.domain.change import Op, Operation
from control_plane.domain.errors import InvalidError
from control_plane.domain.history import Computed, PastEntry, When, effective, putting, same_effect
from control_plane.domain.limits import Limits
from control_plane.services.looking_back import LookingBack
from control_plane.services.undo import nothing_to_do
from shared.domain.entry import Kind
from shared.domain.scope import Lineage, Scope
from shared.wire.problem import Violation


class RestoreMode(StrEnum):
    """What is to be as it was."""

    EFFECTIVE = "effective"
    """What the environment gets, whatever has changed above it since."""
    SCOPE = "scope"
    """The environment's own entries; what is inherited stays as it is now."""


class Restoring:
    """Computes the fewest operations in an environment's own scope that restore it."""

    def __init__(self, looking_back: LookingBack, limits: Limits) -> None:
        self._looking_back, self._limits = looking_back, limits

    async def restore(
        self, app_id: str, environment: str, when: When, *, mode: RestoreMode, prefix: str = ""
    ) -> Computed:
        """What makes it as it was, of keys with this prefix.

        Raises:
            NotFoundError: the application or the environment is not registered.
            InvalidError: the moment lies in the future, or it would take more operations than a change may have.
            ConflictError: it is already as it was.
        """
        await self._looking_back.require_registered(app_id, environment)
        revision = await self._looking_back.revision(when, "/")
        base = await self._looking_back.revision(When(), "/")
        lineage = Lineage.of(app_id, environment)
        scopes = lineage if mode is RestoreMode.EFFECTIVE else lineage[-1:]
        then = await self._looking_back.entries(scopes, revision, prefix)
        now = await self._looking_back.entries(scopes, base, prefix)
        compute = _effectively if mode is RestoreMode.EFFECTIVE else _literally
        operations = tuple(compute(lineage.environment, then, now))
        if not operations:
            why = f"{app_id}/{environment} is as it was at revision {revision}"
            raise nothing_to_do(why)
        self._require_few(operations)
        return Computed(operations, base)

    def _require_few(self, operations: tuple[Operation, ...]) -> None:
        if (count := len(operations)) > (limit := self._limits.import_operations):
            detail = (
                f"this takes {count:,} operations, and the limit import_operations is {limit:,} in one change: restore "
                "keys prefix by prefix, or set TRIMTAB_MAX_IMPORT_OPERATIONS higher"
            )
            raise InvalidError([Violation("/prefix", detail)])


def _literally(scope: Scope, then: list[PastEntry], now: list[PastEntry]) -> Iterator[Operation]:
    """Make the scope hold just the entries that it held."""
    wanted, current = _by_key(then), _by_key(now)
    for key in sorted(wanted.keys() | current.keys()):
        operation = putting(scope, key, wanted.get(key), current.get(key))
        if operation is not None:
            yield operation


def _effectively(scope: Scope, then: list[PastEntry], now: list[PastEntry]) -> Iterator[Operation]:
    """Make the environment see what it saw: leave alone, else inherit, else hide, else put."""
    wanted, seen = effective(then), effective(now)
    inherited = effective(each for each in now if each.scope != scope)
    own = _by_key(each for each in now if each.scope == scope)
    for key in sorted(wanted.keys() | seen.keys()):
        if not same_effect(wanted.get(key), seen.get(key)):
            yield _answer(scope, key, wanted.get(key), inherited.get(key), own)


def _answer(
    scope: Scope, key: str, wanted: PastEntry | None, inherited: PastEntry | None, own: Mapping[str, PastEntry]
) -> Operation:
    if same_effect(wanted, inherited):
        return Operation(Op.UNMASK if own[key].kind is Kind.MASK else Op.DELETE, scope, key)
    if wanted is None:
        return Operation(Op.MASK, scope, key)
    return Operation(Op.PUT, scope, key, wanted.value, wanted.sensitive, puts_back=True, kind=Kind(wanted.kind))


def _by_key(entries: Iterator[PastEntry] | list[PastEntry]) -> dict[str, PastEntry]:
    return {each.key: each for each in entries}

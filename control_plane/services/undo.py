"""Undoing: one config back to a version, a whole change back to what was before it.

What is put back is computed here and carried out as any other change. It is based on the revision that was read, so a
key that somebody changes meanwhile is a conflict.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from control_plane.domain.change import Applied, Op, Operation
from control_plane.domain.errors import ConflictError
from control_plane.domain.history import Computed, LeftOut, PastEntry, Reason, putting
from control_plane.ports.changes import Changes
from control_plane.ports.configs import Configs
from control_plane.ports.history import History
from shared.domain.codec import Json, decode
from shared.domain.entry import WITH_VALUE

SHOWN_VALUE = 1024
"""Characters of a value that a conflict shows; a longer one is looked up by its version."""
_SKIP_HINT = 'Decide for each key which side is right; with "keys": "skip_moved" only the others are reverted.'


@dataclass(frozen=True, slots=True)
class _Undone:
    """One operation of a change with what stood there before it and what stands there now."""

    applied: Applied
    before: PastEntry | None
    current: PastEntry

    @property
    def moved(self) -> bool:
        return self.current.version != self.applied.version

    @property
    def inverse(self) -> Operation | None:
        return putting(self.applied.scope, self.applied.key, self.before, self.current)


class Undo:
    """Computes what undoes something. Sensitive values are put back without being shown."""

    def __init__(self, changes: Changes, configs: Configs, history: History) -> None:
        self._changes, self._configs, self._history = changes, configs, history

    async def rollback(self, config_id: UUID, version: int) -> Computed:
        """What puts back the value, mask or absence of one version of a config.

        Raises:
            NotFoundError: there is no such config, or it has no such version.
            ConflictError: it is already as it was.
        """
        await self._configs.get(config_id)
        wanted = await self._history.version(config_id, version)
        base = (await self._history.moment()).now
        current = (await self._history.entries_of([config_id], base))[config_id]
        operation = putting(wanted.scope, wanted.key, wanted, current)
        if operation is None:
            detail = f"There is nothing to do: {wanted.key} ({wanted.scope}) is as it was in version {version}."
            raise ConflictError(detail, reason="nothing", version=current.version)
        return Computed((operation,), base)

    async def revert(self, revision: int, *, skip_moved: bool = False) -> Computed:
        """What puts back all that stood before a change.

        Raises:
            NotFoundError: there is no such change.
            ConflictError: keys moved since, and are not to be skipped; or nothing is left to do.
        """
        record = await self._changes.get_change(revision)
        configs = [each.id for each in record.applied]
        base = (await self._history.moment()).now
        before = await self._history.entries_of(configs, revision - 1)
        current = await self._history.entries_of(configs, base)
        undone = [_Undone(each, before.get(each.id), current[each.id]) for each in record.applied]
        moved = [each for each in undone if each.moved]
        if moved and not skip_moved:
            raise _conflict(revision, moved)
        left_out = [_left_out(each, Reason.MOVED) for each in moved]
        left_out += [_left_out(each, Reason.EQUAL) for each in undone if not each.moved and each.inverse is None]
        operations = tuple(each.inverse for each in undone if not each.moved and each.inverse is not None)
        if not operations:
            why = f"nothing is left to revert of change {revision}"
            raise nothing_to_do(why, left_out)
        return Computed(operations, base, revision, tuple(left_out))


def nothing_to_do(why: str, left_out: Sequence[LeftOut] = ()) -> ConflictError:
    """The error for a change without an operation; it names the keys that were left out."""
    named: list[Json] = [{"scope": str(each.scope), "key": each.key, "reason": each.reason} for each in left_out]
    return ConflictError(f"There is nothing to do: {why}.", reason="nothing", left_out=named)


def _left_out(undone: _Undone, reason: Reason) -> LeftOut:
    return LeftOut(undone.applied.scope, undone.applied.key, reason)


def _conflict(revision: int, moved: Sequence[_Undone]) -> ConflictError:
    keys = ", ".join(f"{each.applied.key} ({each.applied.scope})" for each in moved)
    detail = f"Keys of change {revision} were changed since: {keys}."
    return ConflictError(detail, reason="moved", hint=_SKIP_HINT, conflicts=[_sides(each) for each in moved])


def _sides(undone: _Undone) -> Json:
    """Both sides: what stands there now, and what the revert would do."""
    current, inverse = undone.current, undone.inverse
    yours: dict[str, Json] = {"op": inverse.op if inverse else None}
    if inverse is not None and inverse.op is Op.PUT:
        yours |= _shown(inverse.value, sensitive=bool(inverse.sensitive) or current.sensitive)
    return {
        "scope": str(undone.applied.scope),
        "key": undone.applied.key,
        "current": {
            "id": str(current.config_id),
            "version": current.version,
            "revision": current.revision,
            "deleted": not current.live,
            "kind": current.kind,
            "updated_by": current.author,
            **_shown(current.value if current.kind in WITH_VALUE else b"", sensitive=current.sensitive),
        },
        "yours": yours,
    }


def _shown(value: bytes, *, sensitive: bool) -> dict[str, Json]:
    return {} if sensitive or not 0 < len(value) <= SHOWN_VALUE else {"value": decode(value)}

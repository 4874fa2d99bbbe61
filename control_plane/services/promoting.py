"""Promoting: giving one environment the values that another one sees, as a change."""

from collections.abc import Sequence

from control_plane.domain.change import Op, Operation
from control_plane.domain.errors import InvalidError
from control_plane.domain.history import Computed, LeftOut, Reason, When, same_effect
from control_plane.services.looking_back import LookingBack
from control_plane.services.undo import nothing_to_do
from shared.domain.entry import Kind
from shared.domain.scope import Scope
from shared.wire.problem import Violation


class Promoting:
    """Computes promotions. Sensitive values are carried over without being shown, and stay sensitive."""

    def __init__(self, looking_back: LookingBack) -> None:
        self._looking_back = looking_back

    async def promote(
        self, source: tuple[str, str], target: tuple[str, str], keys: Sequence[str], when: When
    ) -> Computed:
        """What puts the source's effective values of some keys, at a moment, into the target's own scope.

        Raises:
            NotFoundError: an application or an environment is not registered.
            InvalidError: the source does not see some of the keys, or the moment lies in the future.
            ConflictError: the target sees all of them alike already.
        """
        revision = await self._looking_back.revision(when, "/from/")
        base = await self._looking_back.revision(When(), "/")
        offered = await self._looking_back.everything(*source, revision, keys)
        if missing := [
            Violation(f"/keys/{index}", f"{'/'.join(source)} has no value for {key} at revision {revision}")
            for index, key in enumerate(keys)
            if key not in offered
        ]:
            raise InvalidError(missing)
        seen = await self._looking_back.everything(*target, base, keys)
        scope = Scope(*target)
        equal = [key for key in keys if same_effect(offered[key], seen.get(key))]
        left_out = tuple(LeftOut(scope, key, Reason.EQUAL) for key in equal)
        operations = tuple(
            Operation(Op.PUT, scope, key, offered[key].value, offered[key].sensitive, kind=Kind(offered[key].kind))
            for key in keys
            if key not in set(equal)
        )
        if not operations:
            why = f"{scope.app_id}/{scope.environment} sees these keys alike already"
            raise nothing_to_do(why, left_out)
        return Computed(operations, base, left_out=left_out)

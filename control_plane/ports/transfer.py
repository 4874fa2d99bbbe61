"""Whole documents of configs, out and in."""

from collections.abc import Collection, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from control_plane.domain.attribution import Attribution
from control_plane.domain.transfer import Exported, State
from shared.domain.codec import Json
from shared.domain.scope import Scope


class Transfer(Protocol):
    """Whole scopes, out and in: read in one instant, sensitive values included."""

    def export(
        self, app_id: str | None, *, secrets: bool, audited: Mapping[str, Json], by: Attribution
    ) -> AbstractAsyncContextManager[Exported]:
        """Everything, or one application without the global scope; audited as a reveal before anything is read.

        With `secrets` sensitive values come along, else they are empty.

        Raises:
            NotFoundError: the application is not registered.
        """
        ...

    async def state(
        self, scopes: Collection[Scope], keys: Collection[tuple[Scope, str]], *, rest: bool = False
    ) -> State:
        """What stands under these keys, tombstones and sensitive values too, and which of the scopes are registered.

        With `rest`, also whatever else is live in the scopes, without its value. Never for anybody's eyes.
        """
        ...

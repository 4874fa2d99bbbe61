"""Filling an installation with more than a benchmark would wait for over HTTP."""

from collections.abc import Sequence

from bench.rig import Bed
from control_plane.domain.attribution import Attribution
from control_plane.domain.change import Draft, Op, Operation
from control_plane.postgres.changes import PostgresChanges
from shared.domain.codec import Json, canonical
from shared.domain.scope import Scope

_AT_ONCE = 500
"""Operations of one change."""


async def add_environments(made: Bed, app_id: str, environments: Sequence[str]) -> None:
    """Register environments of an application."""
    for environment in environments:
        await made.site.post(made.control_plane, f"/apps/{app_id}/environments", {"environment": environment})


async def commit_all(changes: PostgresChanges, scope: Scope, keys: Sequence[str], note: str) -> int:
    """Put a value of a usual size under each key; returns the last revision."""
    revision = 0
    for start in range(0, len(keys), _AT_ONCE):
        operations = tuple(
            Operation(Op.PUT, scope, key, canonical(_value(key, note))) for key in keys[start : start + _AT_ONCE]
        )
        revision = (await changes.commit(Draft(operations, by=Attribution("bench")))).revision
    return revision


def _value(key: str, note: str) -> Json:
    return {"enabled": True, "limit": len(note), "url": f"https://{key}.internal/v2", "note": note}

"""Undoing, restoring and promoting: each computes a change, which is carried out as any other."""

from functools import partial

from aiohttp import web

from control_plane.api.bodies.undo import Promotion, Restore, Revert, Rollback, restore_mode
from control_plane.api.call import Call
from control_plane.api.carry_out import carry_out_computed
from control_plane.api.handlers.changes import require_change
from control_plane.api.services import Services
from control_plane.api.sight_of_configs import require_config
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.reach import Place
from control_plane.domain.errors import InvalidError
from control_plane.domain.history import When
from shared.wire.problem import Violation


async def rollback_config(services: Services, call: Call[Rollback, None]) -> web.StreamResponse:
    """Put back what a config was in one of its versions: its value, a mask, or nothing.

    A secret is put back without being shown. The config gets a new version; none is taken away.
    """
    config = await require_config(services, call, Permission.CHANGES_PROPOSE)
    compute = partial(services.hindsight.undo.rollback, config.id, call.body.version)
    return await carry_out_computed(services, call, compute)


async def revert_change(services: Services, call: Call[Revert, None]) -> web.StreamResponse:
    """Undo a whole change as one change, which can be reverted in turn.

    If one of its keys was changed since, nothing is done, and the problem lists these keys with both sides; with
    `keys: skip_moved` the others are reverted, and `left_out` names these.
    """
    require_change(call, await services.changes.get_change(call.revision), Permission.CHANGES_PROPOSE)
    skip_moved = call.body.keys == "skip_moved"
    compute = partial(services.hindsight.undo.revert, call.revision, skip_moved=skip_moved)
    return await carry_out_computed(services, call, compute)


async def restore_environment(services: Services, call: Call[Restore, None]) -> web.StreamResponse:
    """Take an environment back to what it was at a revision, an instant or a named snapshot, by the fewest operations in its own scope.

    `effective` restores what its agents get, whatever was changed above it since; `scope` only its own entries.
    """
    body = call.body
    if body.revision is None and body.at is None and body.snapshot is None:
        raise InvalidError([Violation("/revision", "give a revision, an instant (at) or a named snapshot")])
    compute = partial(
        services.hindsight.restoring.restore,
        call.app_id,
        call.environment,
        When(body.revision, body.at, body.snapshot),
        mode=restore_mode(body),
        prefix=body.prefix,
    )
    return await carry_out_computed(services, call, compute)


async def create_promotion(services: Services, call: Call[Promotion, None]) -> web.StreamResponse:
    """Put the values that one environment sees into another one's own scope.

    Secrets are carried over without being shown, and stay secrets. Keys that the target sees alike already are left
    out, and named in `left_out`. Whoever promotes may see the values of the source.
    """
    body = call.body
    source = (body.from_.app_id, body.from_.environment)
    target = (body.to.app_id, body.to.environment)
    keys: list[str | None] = [*(body.keys or ())] or [None]
    for each in (Permission.CONFIGS_READ, Permission.VALUES_READ):
        call.require(each, *(Place(*source, key) for key in keys))
    call.require(Permission.CHANGES_PROPOSE, *(Place(*target, key) for key in keys))
    compute = partial(services.hindsight.promoting.promote, source, target, body.keys, body.when)
    return await carry_out_computed(services, call, compute)

"""The one way from a request to a change: whatever computed the operations, they are carried out here."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from aiohttp import web

from control_plane.api.bodies.changes import ChangeReceipt
from control_plane.api.bodies.intent import Intent
from control_plane.api.bodies.preview import PreviewView
from control_plane.api.call import Call, reply
from control_plane.api.services import Services
from control_plane.api.sight import seen_preview
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.reach import Place
from control_plane.domain.change import Aim, Committed, Draft, Operation
from control_plane.domain.history import Computed, LeftOut
from control_plane.domain.proposal import Proposed


def draft_of(
    call: Call[Any, Any],
    operations: Sequence[Operation],
    intent: Intent,
    *,
    base_revision: int | None = None,
    reverts: int | None = None,
    whole: bool = False,
) -> Draft:
    """The operations as a draft of whoever calls.

    Raises:
        ForbiddenError: the caller may not do what the intent says.
    """
    committing = intent.aim is Aim.COMMIT and not intent.dry_run
    permission = Permission.CONFIGS_WRITE if committing else Permission.CHANGES_PROPOSE
    places = [Place.of(each.scope, each.key) for each in operations]
    call.require(permission, *places)
    if intent.break_glass is not None:
        call.require(Permission.CHANGES_BREAK_GLASS, *places)
    return Draft(
        operations=tuple(operations),
        by=call.acting(permission, *places),
        message=intent.message,
        base_revision=base_revision,
        idempotency_key=call.idempotency_key,
        request_hash=call.request_hash,
        dry_run=intent.dry_run,
        labels=intent.labels,
        reverts=reverts,
        whole=whole,
        forced=None if intent.force is None else intent.force.forced,
        aim=intent.aim,
        scheduled_at=intent.scheduled_at,
        break_glass=None if intent.break_glass is None else intent.break_glass.broken,
    )


async def carry_out(
    services: Services, call: Call[Any, Any], draft: Draft, left_out: Sequence[LeftOut] = ()
) -> web.Response:
    """Do with a draft what its request asked for, and answer, also of what it leaves out."""
    if draft.dry_run:
        preview = seen_preview(call.principal, await services.previews.of(draft))
        return reply(ChangeReceipt.of(preview.committed, left_out, PreviewView.of(preview, draft.operations)))
    if draft.aim is not Aim.COMMIT:
        proposed = await services.proposals.propose(draft)
        location = {"Location": f"/api/v1/changes/{proposed.id}"}
        return reply(ChangeReceipt.stored(proposed, draft, left_out), 201, location | replayed(proposed))
    committed = await services.publishing.commit(draft)
    receipt = ChangeReceipt.of(committed, left_out)
    return reply(receipt, 201, {"Location": f"/api/v1/changes/{committed.revision}", **replayed(committed)})


async def carry_out_computed(
    services: Services, call: Call[Any, Any], compute: Callable[[], Awaitable[Computed]]
) -> web.Response:
    """Compute a change, and do with it what its request asked for.

    The whole answer is kept under an Idempotency-Key: computed again, it would come to something else.
    """
    computed = await compute()
    base, reverts = computed.base_revision, computed.reverts
    draft = draft_of(call, computed.operations, call.body, base_revision=base, reverts=reverts, whole=True)
    return await carry_out(services, call, replace(draft, idempotency_key=None), computed.left_out)


def replayed(committed: Committed | Proposed) -> dict[str, str]:
    """The header that tells a repeated answer from a first one."""
    return {"Idempotency-Replayed": "true"} if committed.replayed else {}

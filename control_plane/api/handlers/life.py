"""What people do with a change between its making and its end."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from aiohttp import web

from control_plane.api.bodies.changes import ChangeEdit, ChangeReceipt, ChangeView
from control_plane.api.bodies.life import CommitNow, Decision, LifeView, Scheduling, Step
from control_plane.api.bodies.preview import PreviewView
from control_plane.api.call import Call, reply
from control_plane.api.preconditions import asked_version, etag
from control_plane.api.services import Services
from control_plane.api.sight import places_of, require_known, seen_preview, seen_standing
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.reach import Place
from control_plane.domain.attribution import Attribution
from control_plane.domain.change import Operation
from control_plane.services.standing import Revision, Standing


async def edit_change(services: Services, call: Call[ChangeEdit, None]) -> web.StreamResponse:
    """Give a stored change other words, operations or another time.

    That makes a new edition, which nobody has approved yet. What is left out stays. `If-Match`, or the member
    `edition`, says which edition was read. Who edits a change has written a part of it, and does not approve it.
    """
    body = call.body
    edition = asked_version(call.request, body.edition)
    revision = Revision(
        operations=None if body.operations is None else tuple(each.operation() for each in body.operations),
        message=body.message,
        labels=body.labels,
        base_revision=body.base_revision,
        forced=None if body.force is None else body.force.forced,
        scheduled_at=body.scheduled_at,
        unscheduled="scheduled_at" in body.model_fields_set and body.scheduled_at is None,
    )
    by, seen = await _admitted(services, call, Permission.CHANGES_PROPOSE, revision.operations or ())
    return _show(call, await services.proposals.edit(_id(call), edition or seen, revision, by))


async def preview_stored_change(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Tell what a change that waits would do if it were committed now."""
    by, _ = await _admitted(services, call, Permission.CHANGES_READ)
    draft = await services.proposals.rehearsable(_id(call), by)
    preview = seen_preview(call.principal, await services.previews.of(draft))
    return reply(PreviewView.of(preview, draft.operations))


async def submit_change(services: Services, call: Call[Step, None]) -> web.StreamResponse:
    """Submit a draft: let it wait for its approvals, or for its time.

    It is checked as if it were committed now.
    """
    by, seen = await _admitted(services, call, Permission.CHANGES_PROPOSE)
    return _show(call, await services.proposals.submit(_id(call), by, call.body.edition or seen))


async def approve_change(services: Services, call: Call[Decision, None]) -> web.StreamResponse:
    """Approve the current edition of a change.

    Nobody approves what they wrote a part of. With enough approvals, a change with a time is scheduled; another is ready
    for somebody to commit it.
    """
    body = call.body
    by, seen = await _admitted(services, call, Permission.CHANGES_APPROVE)
    return _show(call, await services.proposals.approve(_id(call), by, body.edition or seen, body.comment))


async def reject_change(services: Services, call: Call[Decision, None]) -> web.StreamResponse:
    """Reject a change, also one that is scheduled. That is its end."""
    body = call.body
    by, seen = await _admitted(services, call, Permission.CHANGES_APPROVE)
    return _show(call, await services.proposals.reject(_id(call), by, body.edition or seen, body.comment))


async def withdraw_change(services: Services, call: Call[Decision, None]) -> web.StreamResponse:
    """Take back a change that one wrote. That is its end."""
    body = call.body
    by, seen = await _admitted(services, call, Permission.CHANGES_PROPOSE)
    return _show(call, await services.proposals.withdraw(_id(call), by, body.edition or seen, body.comment))


async def schedule_change(services: Services, call: Call[Scheduling, None]) -> web.StreamResponse:
    """Give a submitted change the time at which it is committed, if it has its approvals by then.

    It is then checked again. If it cannot be committed, it has failed, and nothing of it is applied.
    """
    body = call.body
    by, seen = await _admitted(services, call, Permission.CHANGES_PROPOSE)
    return _show(call, await services.proposals.schedule(_id(call), body.scheduled_at, by, body.edition or seen))


async def commit_change(services: Services, call: Call[CommitNow, None]) -> web.StreamResponse:
    """Commit a submitted change now.

    With `break_glass` also if approvals are missing or no window is open. That needs a permission of its own, is marked
    in the audit, and opens a review that a second person has to close.
    """
    body = call.body
    by, seen = await _admitted(services, call, Permission.CONFIGS_WRITE)
    if body.break_glass is not None:
        await _admitted(services, call, Permission.CHANGES_BREAK_GLASS)
    breaking = None if body.break_glass is None else body.break_glass.broken
    committed = await services.proposals.commit(_id(call), by, body.edition or seen, breaking)
    return reply(ChangeReceipt.of(committed), headers={"Location": f"/api/v1/changes/{committed.revision}"})


def _id(call: Call[Any, Any]) -> UUID:
    return call.id("change", "change")


async def _admitted(
    services: Services, call: Call[Any, Any], permission: Permission, more: Iterable[Operation] = ()
) -> tuple[Attribution, int]:
    """In which role the caller does this to the change in the path, of which it touches everything, and to more.

    And to which edition: it is this one that was judged, and another one may touch other things.

    Raises:
        NotFoundError: there is no such change, or none that the caller may see.
        ForbiddenError: the caller may see some of it, but not do this to all of it.
    """
    found = (await services.proposals.get(_id(call))).proposal
    places = [*places_of(found)]
    require_known(call, "change", permission, *places, seeing=Permission.CHANGES_READ)
    added = [Place.of(each.scope, each.key) for each in more]
    call.require(permission, *added, *places)
    return call.acting(permission, *places, *added), found.edition


def _show(call: Call[Any, Any], standing: Standing) -> web.Response:
    standing = seen_standing(call.principal, standing)
    proposal = standing.proposal
    headers = {"Location": f"/api/v1/changes/{proposal.id}", "ETag": etag(proposal.edition)}
    return reply(ChangeView.stored(proposal, LifeView.of(standing)), headers=headers)

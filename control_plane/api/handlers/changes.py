"""Changes of several operations, and the record of all changes."""

from dataclasses import replace
from functools import partial
from typing import Any

from aiohttp import web

from control_plane.api.bodies.changes import ChangeQuery, ChangeView, NewChange
from control_plane.api.bodies.fleet import ConvergenceView
from control_plane.api.bodies.life import LifeView
from control_plane.api.bodies.pages import PageView, labels_asked
from control_plane.api.bodies.preview import PreviewView
from control_plane.api.call import Call, reply
from control_plane.api.carry_out import carry_out, draft_of
from control_plane.api.preconditions import etag
from control_plane.api.services import Services
from control_plane.api.sight import (
    places_of,
    require_known,
    seen_change,
    seen_preview,
    seen_proposal,
    seen_standing,
    sifted,
)
from control_plane.domain.access.decision import may
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.reach import Place
from control_plane.domain.change import ChangeRecord
from control_plane.domain.lifecycle import State
from control_plane.domain.proposal import Proposal, ProposalFilter
from control_plane.ports.pages import Page


async def create_change(services: Services, call: Call[NewChange, None]) -> web.StreamResponse:
    """Commit several operations as one change, or store them as one that is committed later.

    They may be about different scopes; an agent shows all of them at once, or none. This is also the way to mask a
    key in a scope (`mask`) and to take the mask away (`unmask`). With `dry_run`, nothing is done and the answer is
    what would be. With the mode `submit` it waits for others to approve it, or for its time; with `draft`, for its author.
    """
    body = call.body
    operations = [each.operation() for each in body.operations]
    return await carry_out(services, call, draft_of(call, operations, body, base_revision=body.base_revision))


async def preview_change(services: Services, call: Call[NewChange, None]) -> web.StreamResponse:
    """Tell what a change would do, without doing it.

    For each app/environment that would see it, the effective difference key by key; the operations without effect; the
    guards, schemas and policies that stand against it; and who would see it: applications, environments and live
    agents. What could not be carried out at all, whatever its values, is answered as the change itself would be.
    """
    body = call.body.model_copy(update={"dry_run": True})
    operations = [each.operation() for each in body.operations]
    draft = replace(draft_of(call, operations, body, base_revision=body.base_revision), idempotency_key=None)
    preview = seen_preview(call.principal, await services.previews.of(draft))
    return reply(PreviewView.of(preview, draft.operations))


async def list_changes(services: Services, call: Call[None, ChangeQuery]) -> web.StreamResponse:
    """List changes, newest first: committed ones, or those in another state of their life."""
    query, limit = call.query, call.page_size(call.query.limit)
    if query.state is State.COMMITTED:
        read = partial(_committed, services, query, limit)
        committed = await sifted(call.principal, Permission.CHANGES_READ, places_of, read, query.cursor)
        seen = (seen_change(call.principal, each) for each in committed.items)
        return reply(PageView(tuple(map(ChangeView.of, seen)), committed.next_cursor))
    where = ProposalFilter(query.state, query.author, labels_asked(query.label), query.app_id)
    stored = await sifted(
        call.principal, Permission.CHANGES_READ, places_of, partial(_stored, services, where, limit), query.cursor
    )
    shown = (seen_proposal(call.principal, each) for each in stored.items)
    return reply(PageView(tuple(map(ChangeView.stored, shown)), stored.next_cursor))


async def get_change(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Show one change: a committed one by its revision, any one by its id."""
    change = call.change
    if isinstance(change, int):
        record = await services.changes.get_change(change)
        require_change(call, record, Permission.CHANGES_READ)
        standing = seen_standing(call.principal, await services.proposals.get(record.id))
    else:
        standing = await services.proposals.get(change)
        require_change(call, standing.proposal, Permission.CHANGES_READ)
        standing = seen_standing(call.principal, standing)
        if (revision := standing.proposal.revision) is None:
            headers = {"ETag": etag(standing.proposal.edition)}
            return reply(
                ChangeView.stored(standing.proposal, LifeView.of(standing)),
                headers=headers,
            )
        record = await services.changes.get_change(revision)
    life = LifeView.of(standing) if standing.proposal.stored or standing.proposal.break_glass else None
    return reply(ChangeView.of(seen_change(call.principal, record), life))


async def get_convergence(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Show how far a change has come among the live agents that it concerns."""
    record = await services.changes.get_change(call.revision)
    require_change(call, record, Permission.CHANGES_READ)
    call.require(Permission.FLEET_READ, *map(Place.of, record.scopes))
    return reply(ConvergenceView.of(await services.fleet.convergence(call.revision), call.limits.page_size))


def require_change(call: Call[Any, Any], change: ChangeRecord | Proposal, permission: Permission) -> None:
    """Let the caller pass if it may do this to the change: see some of it, or do something to all of it.

    Raises:
        NotFoundError: it may not even see that there is such a change.
        ForbiddenError: it may see it, but not do this.
    """
    places = places_of(change)
    if permission is Permission.CHANGES_READ:
        places = [each for each in places if may(call.principal, permission, each)] or places
    require_known(call, "change", permission, *places, seeing=Permission.CHANGES_READ)


async def _committed(services: Services, query: ChangeQuery, limit: int, cursor: str | None) -> Page[ChangeRecord]:
    labels = labels_asked(query.label)
    return await services.changes.list_changes(
        app_id=query.app_id, author=query.author, labels=labels, limit=limit, cursor=cursor
    )


async def _stored(services: Services, where: ProposalFilter, limit: int, cursor: str | None) -> Page[Proposal]:
    return await services.proposals.list(where, limit=limit, cursor=cursor)

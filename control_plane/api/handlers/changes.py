"""Changes of several operations, and the record of all changes."""

from dataclasses import replace

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
from control_plane.domain.lifecycle import State
from control_plane.domain.proposal import ProposalFilter


async def create_change(services: Services, call: Call[NewChange, None]) -> web.StreamResponse:
    """Commit several operations as one change, or store them as one that is committed later.

    They may be about different scopes; an agent shows all of them at once, or none. This is also the way to mask a
    key in a scope (`mask`) and to take the mask away (`unmask`). With `dry_run`, nothing is done and the answer is
    what would be. With the mode `submit` it waits for others to approve it, or for its time; with `draft`, for its author.
    """
    body = call.body
    operations = [each.operation() for each in body.operations]
    return await carry_out(services, draft_of(call, operations, body, base_revision=body.base_revision))


async def preview_change(services: Services, call: Call[NewChange, None]) -> web.StreamResponse:
    """Tell what a change would do, without doing it.

    For each app/environment that would see it, the effective difference key by key; the operations without effect; the
    guards, schemas and policies that stand against it; and who would see it: applications, environments and live
    agents. What could not be carried out at all, whatever its values, is answered as the change itself would be.
    """
    body = call.body.model_copy(update={"dry_run": True})
    operations = [each.operation() for each in body.operations]
    draft = replace(draft_of(call, operations, body, base_revision=body.base_revision), idempotency_key=None)
    return reply(PreviewView.of(await services.previews.of(draft), draft.operations))


async def list_changes(services: Services, call: Call[None, ChangeQuery]) -> web.StreamResponse:
    """List changes, newest first: committed ones, or those in another state of their life."""
    query, limit = call.query, call.page_size(call.query.limit)
    labels = labels_asked(query.label)
    if query.state is State.COMMITTED:
        committed = await services.changes.list_changes(
            app_id=query.app_id, author=query.author, labels=labels, limit=limit, cursor=query.cursor
        )
        return reply(PageView(tuple(map(ChangeView.of, committed.items)), committed.next_cursor))
    where = ProposalFilter(query.state, query.author, labels, query.app_id)
    stored = await services.proposals.list(where, limit=limit, cursor=query.cursor)
    return reply(PageView(tuple(map(ChangeView.stored, stored.items)), stored.next_cursor))


async def get_change(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Show one change: a committed one by its revision, any one by its id."""
    change = call.change
    if isinstance(change, int):
        record = await services.changes.get_change(change)
        standing = await services.proposals.get(record.id)
    else:
        standing = await services.proposals.get(change)
        if (revision := standing.proposal.revision) is None:
            headers = {"ETag": etag(standing.proposal.edition)}
            return reply(ChangeView.stored(standing.proposal, LifeView.of(standing)), headers=headers)
        record = await services.changes.get_change(revision)
    life = LifeView.of(standing) if standing.proposal.stored or standing.proposal.break_glass else None
    return reply(ChangeView.of(record, life))


async def get_convergence(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Show how far a change has come among the live agents that it concerns."""
    return reply(ConvergenceView.of(await services.fleet.convergence(call.revision), call.limits.page_size))

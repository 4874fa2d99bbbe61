"""Changes of several operations, and the record of all changes."""

from dataclasses import replace

from aiohttp import web

from control_plane.api.bodies.changes import ChangeQuery, ChangeView, NewChange
from control_plane.api.bodies.fleet import ConvergenceView
from control_plane.api.bodies.pages import PageView
from control_plane.api.bodies.preview import PreviewView
from control_plane.api.call import Call, reply
from control_plane.api.carry_out import carry_out, draft_of
from control_plane.api.services import Services


async def create_change(services: Services, call: Call[NewChange, None]) -> web.StreamResponse:
    """Commit several operations as one change.

    They may be about different scopes; an agent shows all of them at once, or none. This is also the way to mask a
    key in a scope (`mask`) and to take the mask away (`unmask`). With `dry_run`, nothing is done and the answer is
    what would be.
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
    body = call.body
    operations = [each.operation() for each in body.operations]
    draft = replace(draft_of(call, operations, body, base_revision=body.base_revision), idempotency_key=None)
    return reply(PreviewView.of(await services.previews.of(draft), draft.operations))


async def list_changes(services: Services, call: Call[None, ChangeQuery]) -> web.StreamResponse:
    """List committed changes, newest first."""
    query = call.query
    page = await services.changes.list_changes(
        app_id=query.app_id, limit=call.page_size(query.limit), cursor=query.cursor
    )
    return reply(PageView(tuple(map(ChangeView.of, page.items)), page.next_cursor))


async def get_change(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Show one change by its revision."""
    return reply(ChangeView.of(await services.changes.get_change(call.revision)))


async def get_convergence(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Show how far a change has come among the live agents that it concerns."""
    return reply(ConvergenceView.of(await services.fleet.convergence(call.revision), call.limits.page_size))

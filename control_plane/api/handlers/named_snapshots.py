"""Named snapshots: a revision that is worth coming back to."""

from aiohttp import web

from control_plane.api.bodies.named_snapshots import NamedSnapshotView, NewNamedSnapshot
from control_plane.api.bodies.pages import PageQuery, PageView
from control_plane.api.call import Call, reply
from control_plane.api.services import Services
from control_plane.domain.errors import NotFoundError
from control_plane.domain.named_snapshot import is_snapshot_name


async def create_named_snapshot(services: Services, call: Call[NewNamedSnapshot, None]) -> web.StreamResponse:
    """Name a revision of the whole installation.

    Without `revision` and `at` it is the latest one. Nothing is copied: what stood at a revision can always be read
    again, with a name it is found again.
    """
    body = call.body
    made = await services.named_snapshots.create(body.name, body.revision, body.at, body.description, call.attribution)
    return reply(NamedSnapshotView.of(made), 201, {"Location": f"/api/v1/named-snapshots/{made.name}"})


async def list_named_snapshots(services: Services, call: Call[None, PageQuery]) -> web.StreamResponse:
    """List the named snapshots by name."""
    page = await services.named_snapshots.list(limit=call.page_size(call.query.limit), cursor=call.query.cursor)
    return reply(PageView(tuple(map(NamedSnapshotView.of, page.items)), page.next_cursor))


async def get_named_snapshot(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Show one named snapshot."""
    return reply(NamedSnapshotView.of(await services.named_snapshots.get(_name(call))))


async def delete_named_snapshot(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Forget a name; the revision stays, and what stood there can still be read."""
    await services.named_snapshots.delete(_name(call), call.attribution)
    return web.Response(status=204)


def _name(call: Call[None, None]) -> str:
    kind, name = "named snapshot", call.request.match_info["name"]
    if not is_snapshot_name(name):
        raise NotFoundError(kind, name)
    return name

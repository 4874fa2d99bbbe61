"""Snapshots for agents: fetched whole or as a delta, and followed."""

from contextlib import suppress
from functools import partial
from typing import cast

from aiohttp import web

from control_plane.api.bodies.snapshots import SnapshotQuery
from control_plane.api.call import Call, address_of
from control_plane.api.caller import caller_of
from control_plane.api.handlers.apps import require_registered
from control_plane.api.preconditions import unchanged
from control_plane.api.services import Services
from control_plane.api.staleness import staleness
from control_plane.api.watch import Watch
from control_plane.domain.access.decision import may
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.reach import Place
from control_plane.services.admission import LARGE_BYTES
from control_plane.services.snapshots import ServedSnapshot
from shared.domain.codec import decode, encode
from shared.domain.scope import Lineage
from shared.wire.signature import HTTP_HEADER


async def get_snapshot(services: Services, call: Call[None, SnapshotQuery]) -> web.StreamResponse:
    """Fetch what an app/environment sees, or what changed since the revisions that the caller has.

    Secrets are in it for the agents of this app/environment only; an operator gets null in their place. `stale` is
    set, and so is the header `Trimtab-Stale`, while the database is away and the answer may be behind.
    """
    gzip = "gzip" in call.request.headers.get("Accept-Encoding", "") and call.principal.is_agent
    served = await _fetched(services, call, gzip=gzip)
    headers = {"Vary": "Accept-Encoding, Authorization"} | staleness(served.stale)
    if not served.stale:  # what may be behind has no tag, for a 304 would say that it is current
        headers["ETag"] = served.etag
        if unchanged(call.request, served.etag):
            return web.Response(status=304, headers=headers)
    if served.gzip:
        headers["Content-Encoding"] = "gzip"
    if call.principal.is_agent and served.sensitive:
        services.reveals.add(call.attribution, call.app_id, call.environment)
    if call.principal.is_agent and served.signature:  # what others get is not what was signed
        headers[HTTP_HEADER] = served.signature
    body = served.body if call.principal.is_agent else _seen(call, served.body)
    return await _sent(services, call, web.Response(body=body, content_type="application/json", headers=headers))


async def _fetched(services: Services, call: Call[None, SnapshotQuery], *, gzip: bool) -> ServedSnapshot:
    """What is at hand, or what is compiled when it is this request's turn."""
    query = call.query
    asked = (call.app_id, call.environment, query.revisions)
    if services.snapshots.is_at_hand(*asked):
        return await services.snapshots.fetch(*asked, query.at_least, gzip=gzip)
    async with services.admission.place():
        return await services.snapshots.fetch(*asked, query.at_least, gzip=gzip)


async def _sent(services: Services, call: Call[None, SnapshotQuery], response: web.Response) -> web.StreamResponse:
    """The answer, sent in its turn if it is large."""
    if len(cast("bytes", response.body)) < LARGE_BYTES:
        return response
    async with services.admission.place():
        with suppress(ConnectionError):  # nobody reads any more
            await response.prepare(call.request)
            await response.write_eof()
    return response


async def watch_snapshot(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Follow the changes of an app/environment as server-sent events.

    The first event is a `heartbeat`, which says what the three scopes are at; then come `change` events as changes
    are committed, and a `heartbeat` every few seconds. Nothing is replayed: fetch the snapshot for what was missed.
    Secrets are never in it. The stream ends when the reader is too slow, its token is revoked, or the server stops.
    """
    app_id, environment = call.app_id, call.environment
    if not call.principal.is_agent:  # an agent's token belongs to what is registered
        call.require(Permission.VALUES_READ, Place(app_id, environment))
        await require_registered(services, app_id, environment)
    watch = Watch(services, Lineage.of(app_id, environment), partial(_may_go_on, services, call))
    return await watch.serve(call.request)


async def _may_go_on(services: Services, call: Call[None, None]) -> bool:
    """Whether whoever began a stream could begin it now. That nobody looks at it keeps no session from lying idle."""
    caller = await caller_of(services, call.request, use=False)
    needed = [Permission.SNAPSHOTS_READ] if caller.is_agent else [Permission.SNAPSHOTS_READ, Permission.VALUES_READ]
    place = Place(call.app_id, call.environment)
    return caller.may_come_from(address_of(call.request)) and all(may(caller, each, place) for each in needed)


def _seen(call: Call[None, SnapshotQuery], body: bytes) -> bytes:
    """A snapshot without secrets, and without values that are withheld."""
    all_values = may(call.principal, Permission.VALUES_READ, Place(call.app_id, call.environment))
    if all_values and b'"sensitive":true' not in body:
        return body
    document = decode(body)
    for entry in document["entries"]:
        place = Place(call.app_id, call.environment, entry["key"])
        if entry.get("sensitive") or not may(call.principal, Permission.VALUES_READ, place):
            entry |= {"value": None, "sensitive": True}
            if entry.get("rollout") is not None:
                entry["rollout"]["candidate"] = None
    return encode(document)

"""Schemas that the effective values of configs must fit."""

from typing import Any

from aiohttp import web

from control_plane.api.bodies.pages import PageView
from control_plane.api.bodies.schemas import NewSchema, SchemaQuery, SchemaTrialView, SchemaView
from control_plane.api.call import Call, reply
from control_plane.api.preconditions import etag, require_match, unchanged
from control_plane.api.services import Services
from control_plane.domain.access.decision import may_somewhere
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.reach import Place
from control_plane.domain.errors import NotFoundError
from control_plane.domain.schema import Schema
from control_plane.ports.pages import Page

_KIND = "schema"


async def create_schema(services: Services, call: Call[NewSchema, None]) -> web.StreamResponse:
    """Keep a schema for the values of some keys.

    From then on every change is refused after which an app/environment would see a value that does not fit. It is held
    against all values that there are first; if one does not fit, the problem lists these, and nothing is kept. With
    `dry_run`, the answer is what it came to.
    """
    _require(call, call.body.asked.app_id)
    if call.body.dry_run:
        return reply(SchemaTrialView.of(await services.schemas.attempt(call.body.asked)))
    schema = await services.schemas.put(call.body.asked, call.attribution)
    return reply(SchemaView.of(schema), 201, {"Location": f"/api/v1/schemas/{schema.id}", "ETag": etag(schema.version)})


async def list_schemas(services: Services, call: Call[None, SchemaQuery]) -> web.StreamResponse:
    """List schemas by application and pattern."""
    query = call.query
    found = await services.schemas.list(query.app_id, limit=call.page_size(query.limit), cursor=query.cursor)
    page = Page(tuple(each for each in found.items if _sees(call, each)), found.next_cursor)
    return reply(PageView(tuple(map(SchemaView.of, page.items)), page.next_cursor))


async def get_schema(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Show one schema."""
    schema = await _found(services, call)
    headers = {"ETag": etag(schema.version)}
    if unchanged(call.request, headers["ETag"]):
        return web.Response(status=304, headers=headers)
    return reply(SchemaView.of(schema), headers=headers)


async def update_schema(services: Services, call: Call[NewSchema, None]) -> web.StreamResponse:
    """Put another schema in the place of one.

    It is held against all values that there are, as a new one is.
    """
    before = await _found(services, call)
    _require(call, before.app_id, call.body.asked.app_id)
    require_match(call.request, before.version)
    if call.body.dry_run:
        trial = await services.schemas.attempt(call.body.asked, before)
        return reply(SchemaTrialView.of(trial), headers={"ETag": etag(before.version)})
    schema = await services.schemas.put(call.body.asked, call.attribution, before)
    return reply(SchemaView.of(schema), headers={"ETag": etag(schema.version)})


async def delete_schema(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Take a schema away; values no longer have to fit it."""
    before = await _found(services, call)
    _require(call, before.app_id)
    version = require_match(call.request, before.version)
    await services.schemas.drop(before.id, version, call.attribution)
    return web.Response(status=204)


async def _found(services: Services, call: Call[Any, Any]) -> Schema:
    found = await services.schemas.get(call.id(_KIND))
    if not _sees(call, found):
        raise NotFoundError(_KIND, str(found.id))
    return found


def _sees(call: Call[Any, Any], schema: Schema) -> bool:
    """A schema of an application is seen by who may see it of a part of that; one of all applications by everybody."""
    return may_somewhere(call.principal, Permission.SCHEMAS_READ, Place(schema.app_id or None))


def _require(call: Call[Any, Any], *apps: str | None) -> None:
    """Whoever tries a schema finds out which values fit it, so he may see values."""
    places = [Place(each or None) for each in apps]
    call.require(Permission.SCHEMAS_WRITE, *places)
    call.require(Permission.VALUES_READ, *places)

"""Searching in configs of all applications."""

from dataclasses import replace
from functools import partial

from aiohttp import web

from control_plane.api.bodies.pages import PageView
from control_plane.api.bodies.search import FoundView, SearchQuery
from control_plane.api.call import Call, reply
from control_plane.api.services import Services
from control_plane.api.sight import sifted
from control_plane.api.sight_of_configs import looks_into_values, require_sight_of_values
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.reach import Place
from control_plane.domain.search import Found, Search, SearchField
from control_plane.ports.pages import Page


async def search_configs(services: Services, call: Call[None, SearchQuery]) -> web.StreamResponse:
    """Search keys, values, descriptions, owners and labels.

    What is found comes by application, environment and key. Values of sensitive configs are not searched. One request
    reads 50,000 configs at most, so a page may be short, or even empty, although another one follows: go on while there
    is a `next_cursor`.
    """
    query, search = call.query, call.query.search()
    if not looks_into_values(call.principal):
        search = replace(search, fields=search.fields - {SearchField.VALUE})
        if not search.fields:
            require_sight_of_values(call)
    read = partial(_search, services, search, call.page_size(query.limit))
    page = await sifted(call.principal, Permission.CONFIGS_READ, _places, read, query.cursor)
    return reply(PageView(tuple(map(FoundView.of, page.items)), page.next_cursor))


async def _search(services: Services, search: Search, limit: int, cursor: str | None) -> Page[Found]:
    return await services.searching.search(search, limit=limit, cursor=cursor)


def _places(found: Found) -> list[Place]:
    return [Place.of(found.scope, found.key)]

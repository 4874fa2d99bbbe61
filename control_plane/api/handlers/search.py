"""Searching in configs of all applications."""

from aiohttp import web

from control_plane.api.bodies.pages import PageView
from control_plane.api.bodies.search import FoundView, SearchQuery
from control_plane.api.call import Call, reply
from control_plane.api.services import Services


async def search_configs(services: Services, call: Call[None, SearchQuery]) -> web.StreamResponse:
    """Search keys, values, descriptions, owners and labels.

    What is found comes by application, environment and key. Values of sensitive configs are not searched. One request
    reads 50,000 configs at most, so a page may be short, or even empty, although another one follows: go on while there
    is a `next_cursor`.
    """
    query = call.query
    page = await services.searching.search(query.search(), limit=call.page_size(query.limit), cursor=query.cursor)
    return reply(PageView(tuple(map(FoundView.of, page.items)), page.next_cursor))

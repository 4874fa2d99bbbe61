"""Which configs applications read, and which nobody does."""

from datetime import timedelta

from aiohttp import web

from control_plane.api.bodies.pages import PageQuery
from control_plane.api.bodies.usage import CoverageView, KeyUseView, ReadsView, UnusedQuery, UnusedView
from control_plane.api.call import Call, reply
from control_plane.api.paging import Position, cut_page
from control_plane.api.services import Services
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.reach import Place
from control_plane.domain.errors import InvalidError
from control_plane.services.usage import KeyUse
from shared.wire.problem import Violation

MAX_ENVIRONMENTS = 50
"""Environments that one answer is about at most."""


async def list_reads(services: Services, call: Call[None, PageQuery]) -> web.StreamResponse:
    """Show how often each config of an app/environment was read.

    Agents count what applications read one by one; what stands in files that they render counts as read once an hour.
    Reads of many configs at once are counted as such: what is used of them is not known. Counts may be lost; they say
    since when they run.
    """
    coverage, uses = await services.usage.reads(call.app_id, call.environment)
    page = cut_page(call, uses, _place, KeyUseView.of)
    return reply(ReadsView(CoverageView.of(coverage), page.items, page.next_cursor))


async def list_unused(services: Services, call: Call[None, UnusedQuery]) -> web.StreamResponse:
    """List the effective configs that no agent saw read for some days.

    For each environment the answer says how far that is known: since when reads are counted, whether many configs were
    read at once, and which live agents do not count. Only where it is `complete` nobody has read them.
    """
    query = call.query
    call.require(Permission.FLEET_READ, Place(query.app_id, query.environment))
    app = await services.registry.get_app(query.app_id)
    environments = app.environments if query.environment is None else (query.environment,)
    if len(environments) > MAX_ENVIRONMENTS:
        detail = f"{query.app_id} has more than {MAX_ENVIRONMENTS} environments: give one"
        raise InvalidError([Violation("?environment", detail)])
    coverages, unused = await services.usage.unused(query.app_id, environments, query.days)
    page = cut_page(call, unused, _place, KeyUseView.of)
    needed_since = services.clock.now() - timedelta(days=query.days)
    views = tuple(CoverageView.of(each, needed_since) for each in coverages)
    return reply(UnusedView(query.days, views, page.items, page.next_cursor))


def _place(use: KeyUse) -> Position:
    return use.environment, use.key

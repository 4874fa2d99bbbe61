"""Who calls, and why one may do something or may not."""

from aiohttp import web

from control_plane.api.bodies.roles import ExplainQuery, ExplanationView, WhoamiView
from control_plane.api.call import Call, reply
from control_plane.api.services import Services
from control_plane.domain.access.permission import Permission


async def get_whoami(_services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Show who calls, and what was granted to him."""
    return reply(WhoamiView.of(call.principal))


async def explain_access(services: Services, call: Call[None, ExplainQuery]) -> web.StreamResponse:
    """Explain why somebody may do something, or may not: by which grant, or what would have to be granted.

    About oneself always; about others with the permission `access.explain` for the whole installation. Nothing is
    looked up of what is asked about: the answer is the same whether it exists or not.
    """
    query = call.query
    found = await services.explaining.explain(
        call.principal, query.principal, query.group, Permission(query.permission), query.place
    )
    return reply(ExplanationView.of(found))

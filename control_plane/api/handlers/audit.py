"""The audit chain over HTTP."""

from aiohttp import web

from control_plane.api.bodies.audit import AuditQuery, AuditRecordView
from control_plane.api.bodies.pages import PageView
from control_plane.api.call import Call, reply
from control_plane.api.services import Services


async def list_audit_records(services: Services, call: Call[None, AuditQuery]) -> web.StreamResponse:
    """List audit records, newest first.

    A page holds what was found in a bounded look: it may have fewer items than `limit`, or none. The list ends where
    `next_cursor` is null. What is archived is not in it.
    """
    query = call.query
    page = await services.audit.list(query.where, limit=call.page_size(query.limit), cursor=query.cursor)
    return reply(PageView(tuple(map(AuditRecordView.of, page.items)), page.next_cursor))


async def get_audit_record(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Show one audit record by its number."""
    return reply(AuditRecordView.of(await services.audit.get(call.number("seq", "audit record"))))

"""The audit chain over HTTP."""

from dataclasses import asdict

from aiohttp import hdrs, web

from control_plane.api.bodies.audit import (
    AuditAnchorView,
    AuditArchival,
    AuditExportQuery,
    AuditQuery,
    AuditRecordView,
    AuditVerificationView,
    AuditVerifyQuery,
)
from control_plane.api.bodies.pages import PageQuery, PageView
from control_plane.api.call import Call, reply
from control_plane.api.services import Services
from control_plane.api.sight import sifted
from control_plane.api.sight_of_records import places_of_record, seen_record
from control_plane.api.spreadsheet import table
from control_plane.api.stream import stream
from control_plane.domain.access.decision import may
from control_plane.domain.access.permission import Permission
from control_plane.domain.audit import AuditRecord
from control_plane.domain.errors import NotFoundError
from control_plane.ports.pages import Page

_ANCHORS = "/api/v1/audit/anchors"


async def list_audit_records(services: Services, call: Call[None, AuditQuery]) -> web.StreamResponse:
    """List audit records, newest first.

    A page holds what was found in a bounded look: it may have fewer items than `limit`, or none. The list ends where
    `next_cursor` is null. What is archived is not in it.
    """
    query = call.query

    async def read(cursor: str | None) -> Page[AuditRecord]:
        return await services.audit.list(query.where, limit=call.page_size(query.limit), cursor=cursor)

    page = await sifted(call.principal, Permission.AUDIT_READ, places_of_record, read, query.cursor)
    seen = (seen_record(call.principal, each) for each in page.items)
    return reply(PageView(tuple(map(AuditRecordView.of, seen)), page.next_cursor))


async def get_audit_record(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Show one audit record by its number."""
    kind = "audit record"
    found = await services.audit.get(call.number("seq", kind))
    if not any(may(call.principal, Permission.AUDIT_READ, each) for each in places_of_record(found)):
        raise NotFoundError(kind, str(found.seq))
    return reply(AuditRecordView.of(seen_record(call.principal, found)))


async def export_audit_records(services: Services, call: Call[None, AuditExportQuery]) -> web.StreamResponse:
    """Export audit records, oldest first, as a stream of any length.

    A line of `ndjson` is the record's canonical bytes with `previous_hash` and `hash` put in before the closing brace:
    without these (their length is fixed), SHA-256 of the previous hash and the bytes gives the hash. `csv` is for
    spreadsheets. Who exports what is recorded.
    As values are in it, it takes the permission `values.read` as well. An export that is cut short ends with the connection, not with an end.
    """
    query = call.query
    call.require(Permission.VALUES_READ)
    after, through = await services.audit.range(query.after, query.through)
    if call.request.method != hdrs.METH_HEAD:
        asked = {name: str(value) for name, value in asdict(query.where).items() if value is not None}
        detail = {"after": after, "through": through, "format": query.format, "filter": asked}
        await services.audit.record(call.attribution, "audit.exported", "audit", detail)
    lines = services.audit.lines(query.where, after, through)
    disposition = {"Content-Disposition": f'attachment; filename="audit-{after + 1}-{through}.{query.format}"'}
    if query.format == "csv":
        return await stream(call.request, "text/csv; charset=utf-8", table(lines), disposition)
    return await stream(call.request, "application/x-ndjson", lines, disposition)


async def verify_audit_chain(services: Services, call: Call[None, AuditVerifyQuery]) -> web.StreamResponse:
    """Verify that no audit record was altered, added or taken away.

    Follows the chain from where it was last archived. What is too long for one request is `complete` after several:
    ask again `after` the last record that was verified, with its `hash`. `broken` is the first record that is not what
    it was.
    """
    found = await services.audit.verify(call.query.since, call.query.limit)
    return reply(AuditVerificationView.of(found))


async def archive_audit_records(services: Services, call: Call[AuditArchival, None]) -> web.StreamResponse:
    """Let an export take the place of the oldest audit records.

    The hash of the last of these shows that you have the export; verify it first, and keep it. The records are taken
    away, an anchor stays in their place, and the chain goes on from there. This is recorded in the chain too.
    """
    anchor = await services.audit.archive(call.attribution, call.body.through, bytes.fromhex(call.body.hash))
    return reply(AuditAnchorView.of(anchor), 201, {"Location": _ANCHORS})


async def list_audit_anchors(services: Services, call: Call[None, PageQuery]) -> web.StreamResponse:
    """List what was archived of the audit chain, newest first."""
    page = await services.audit.anchors(limit=call.page_size(call.query.limit), cursor=call.query.cursor)
    return reply(PageView(tuple(map(AuditAnchorView.of, page.items)), page.next_cursor))

"""Configs in whole documents: exports, and imports of them."""

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from aiohttp import hdrs, web

from control_plane.api.bodies.transfer import ExportQuery, ImportReceipt, NewImport
from control_plane.api.call import Call, reply
from control_plane.api.carry_out import carry_out, draft_of
from control_plane.api.services import Services
from control_plane.domain.access.decision import may
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.principal import Principal
from control_plane.domain.access.reach import EVERYWHERE, Place
from control_plane.domain.errors import TrimtabError
from control_plane.domain.transfer import Document, Plan
from control_plane.services.documents import JsonWriter, Writer, YamlWriter
from control_plane.services.transfer import Sealed, pointing
from shared.domain.codec import fragment
from shared.domain.scope import Scope

_log = logging.getLogger(__name__)

_TYPES = {"yaml": "application/yaml", "json": "application/json"}
_WRITERS: dict[str, Callable[[], Writer]] = {"yaml": YamlWriter, "json": JsonWriter}
_CHUNK = 64 * 1024
"""Characters that are sent at once."""


async def export_configs(services: Services, call: Call[None, ExportQuery]) -> web.StreamResponse:
    """Export the whole installation, or one application, as one document.

    It is read in one instant and sent as it is read. The same configs give the same bytes: keys in order, values as
    plain YAML or JSON, with everything that people say about them. Sensitive values are left out, or sealed with the
    control plane's seal key; nobody gets them in clear. What was archived is exported only where its application is
    named. An answer that breaks off is not a document: check that it ended well.
    """
    query = call.query
    whole = Place(query.app_id)
    call.require(Permission.EXPORTS_READ, whole)
    call.require(Permission.CONFIGS_READ, whole)
    response = web.StreamResponse(headers={"Content-Type": f"{_TYPES[query.format]}; charset=utf-8"})
    if call.request.method == hdrs.METH_HEAD:
        return response
    writer = _WRITERS[query.format]()
    withheld = None if may(call.principal, Permission.VALUES_READ, whole) else partial(_is_withheld, call.principal)
    try:
        async with services.transfers.export(
            query.app_id, query.sensitive, writer, call.attribution, withheld
        ) as pieces:
            await _send(response, call.request, pieces)
    except TrimtabError:
        if not response.prepared:
            raise
        _log.exception("an export broke off")
        if call.request.transport is not None:
            call.request.transport.abort()  # so that its reader sees that it is not whole
    return response


async def import_configs(services: Services, call: Call[NewImport, None]) -> web.StreamResponse:
    """Import a document as one change.

    The body is a document as an export gives it, JSON or YAML, with what to do about it among its members: `dry_run`,
    `message`, `on_conflict`, `prune`, `create_missing`. Either everything is done or nothing, however many configs it
    names (up to the limit `import_operations`). An entry whose sensitive value the document leaves out keeps the value
    that is there; where there is none it is told as `missing`. In a document of this same installation an entry
    conflicts if it moved since the document's revision, in one from elsewhere if it is there and differs.
    Applications and environments that are missing are registered first, which stays if the change is refused.
    """
    body = call.body
    if body.create_missing:
        call.require(Permission.APPS_WRITE)
    document, sealed = body.document()
    _require_places(call, document, sealed)
    plan = await services.transfers.plan(document, sealed, body.on_conflict, prune=body.prune)
    services.transfers.require_agreement(plan)
    if not body.create_missing:
        services.transfers.require_registered(plan)
    if plan.unregistered and not body.dry_run:
        await services.transfers.register(plan.unregistered, call.attribution)
    return await _carry_out(services, call, plan)


async def _send(response: web.StreamResponse, request: web.Request, pieces: AsyncIterator[str]) -> None:
    """Send the pieces, a few at once; until the reader goes away."""
    response.enable_chunked_encoding()
    await response.prepare(request)
    waiting: list[str] = []
    size = 0
    with suppress(ConnectionError):
        async for piece in pieces:
            waiting.append(piece)
            size += len(piece)
            if size >= _CHUNK:
                await response.write("".join(waiting).encode())
                waiting, size = [], 0
        await response.write("".join(waiting).encode())


async def _carry_out(services: Services, call: Call[NewImport, None], plan: Plan) -> web.Response:
    waiting = {each.scope for each in plan.unregistered} if call.body.dry_run else set()
    operations = [each for each in plan.operations if each.scope not in waiting]
    if not operations:
        return reply(ImportReceipt.of(plan, None, dry_run=call.body.dry_run))
    base = min(plan.revision, plan.revision if call.body.base_revision is None else call.body.base_revision)
    draft = draft_of(call, operations, call.body, base_revision=base, whole=True)
    draft = replace(draft, idempotency_key=None)  # the whole answer is kept under it
    with pointing(operations):
        answer = await carry_out(services, call, draft)
    change = fragment(answer.body) if isinstance(answer.body, bytes) else None
    headers = {"Location": answer.headers["Location"]} if "Location" in answer.headers else None
    return reply(ImportReceipt.of(plan, change, dry_run=call.body.dry_run), answer.status, headers)


def _is_withheld(principal: Principal, scope: Scope, key: str) -> bool:
    return not may(principal, Permission.VALUES_READ, Place.of(scope, key))


def _require_places(call: Call[NewImport, None], document: Document, sealed: Sequence[Sealed]) -> None:
    """An import tells of every entry how it differs from what stands: so the caller may see that."""
    wanted = [*document.entries, *(each.wanted for each in sealed)]
    places = [Place.of(each.scope, each.key) for each in wanted]
    if call.body.prune:
        places += [Place.of(each.scope) for each in document.places]
        places += [Place.of(each.scope) for each in wanted]
    for permission in (Permission.CHANGES_PROPOSE, Permission.CONFIGS_READ, Permission.VALUES_READ):
        call.require(permission, *(places or [EVERYWHERE]))

"""The one way from a request to a change: whatever computed the operations, they are carried out here."""

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from control_plane.api.bodies.changes import ChangeReceipt
from control_plane.api.bodies.intent import Intent
from control_plane.api.call import Call, reply
from control_plane.api.services import Services
from control_plane.domain.change import Committed, Draft, Operation


def draft_of(
    call: Call[Any, Any],
    operations: Sequence[Operation],
    intent: Intent,
    *,
    base_revision: int | None = None,
    reverts: int | None = None,
    whole: bool = False,
) -> Draft:
    """The operations as a draft of whoever calls."""
    return Draft(
        operations=tuple(operations),
        by=call.attribution,
        message=intent.message,
        base_revision=base_revision,
        idempotency_key=call.idempotency_key,
        request_hash=call.request_hash,
        dry_run=intent.dry_run,
        labels=intent.labels,
        reverts=reverts,
        whole=whole,
    )


async def carry_out(services: Services, draft: Draft) -> web.Response:
    """Do with a draft what its request asked for, and answer."""
    committed = await services.publishing.commit(draft)
    receipt = ChangeReceipt.of(committed)
    if committed.dry_run:
        return reply(receipt)
    return reply(receipt, 201, {"Location": f"/api/v1/changes/{committed.revision}", **replayed(committed)})


def replayed(committed: Committed) -> dict[str, str]:
    """The header that tells a repeated answer from a first one."""
    return {"Idempotency-Replayed": "true"} if committed.replayed else {}

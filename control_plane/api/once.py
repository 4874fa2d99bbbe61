"""An Idempotency-Key on requests that make something other than a change: done once, answered each time.

A change keeps its key in its own transaction. Everything else claims the key first, then acts, then keeps the answer.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from control_plane.api.call import Call
from control_plane.domain.errors import ConflictError, KeyReusedError, TrimtabError
from control_plane.ports.credentials import Receipt, Receipts
from shared.domain.codec import Json, decode, encode


async def answer_once(
    receipts: Receipts,
    call: Call[Any, Any],
    key: str,
    act: Callable[[], Awaitable[web.StreamResponse]],
    *,
    secret: bool,
) -> web.StreamResponse:
    """Act and keep the answer, unless this very request was answered before.

    With `secret` the answer is not kept: what is shown once cannot be shown again.

    Raises:
        KeyReusedError: the key belongs to another request.
        ConflictError: the first request is still under way, or its answer was a secret.
    """
    author = call.principal.id
    if (known := await receipts.begin(author, key, call.request_hash)) is not None:
        return _answer_again(key, known)
    try:
        response = await act()
    except TrimtabError:
        await receipts.forget(author, key)
        raise
    await receipts.finish(author, key, _kept(response, secret=secret))
    return response


def _kept(response: web.StreamResponse, *, secret: bool) -> Json:
    location = response.headers.get("Location")
    if secret or not isinstance(response, web.Response) or not isinstance(response.body, bytes):
        return {"location": location}
    body = decode(response.body)
    return {"location": location, "status": response.status, "body": body, "etag": response.headers.get("ETag")}


def _answer_again(key: str, known: Receipt) -> web.Response:
    if not known.same:
        msg = "This Idempotency-Key was used for another request."
        raise KeyReusedError(msg, key=key)
    if known.answer is None:
        msg = "The first request with this Idempotency-Key is still under way."
        raise ConflictError(msg, key=key)
    location = known.answer["location"]
    if "body" not in known.answer:
        msg = "The first request with this Idempotency-Key made it; its secret was shown once and is kept nowhere."
        raise ConflictError(msg, location=location)
    kept = {"Location": location, "ETag": known.answer.get("etag")}
    headers = {"Idempotency-Replayed": "true"} | {name: value for name, value in kept.items() if value}
    body, status = encode(known.answer["body"]), known.answer["status"]
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)

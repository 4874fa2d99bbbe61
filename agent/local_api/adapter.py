"""The slow lane: aiohttp's requests for the faces, and their answers for aiohttp."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aiohttp import web

from agent.local_api.asked import Asked
from agent.local_api.reply import Reply

Face: TypeAlias = Callable[[Asked], Reply]
"""One kind of answer. It raises `ProblemError` for a request that it cannot answer as it was meant."""

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


def handler(face: Face) -> Handler:
    """The handler by which aiohttp reaches a face."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return response_of(face(await asked_of(request)))

    return handle


async def asked_of(request: web.Request) -> Asked:
    """The request; its body is read if it may have one that matters."""
    target = request.rel_url
    body = await _body(request) if request.method == "POST" else b""
    key = request.match_info.get("key", "")
    return Asked(request.method, target.raw_path, target.raw_query_string, headers_of(request), body, key)


async def _body(request: web.Request) -> bytes:
    try:
        return await request.read()
    except RuntimeError as error:
        if request.transport is None:  # aiohttp's word for a client that went away before anybody read
            raise ConnectionResetError from error
        raise


def headers_of(request: web.Request) -> dict[str, str]:
    """All headers by their lower-case names."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        lower = name.lower()
        headers[lower] = f"{headers[lower]}, {value}" if lower in headers else value
    return headers


def response_of(reply: Reply) -> web.Response:
    """The answer for aiohttp."""
    return web.Response(status=reply.status, body=reply.body or None, headers=reply.headers)

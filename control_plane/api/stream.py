"""An answer of any length, piece by piece: as fast as its reader takes it, and no longer than there is one."""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

from aiohttp import hdrs, web

from control_plane.api.watch import STOPPING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


async def stream(
    request: web.Request, content_type: str, pieces: AsyncIterator[bytes], headers: Mapping[str, str]
) -> web.StreamResponse:
    """Answer with the pieces. What ends early breaks the connection off, so that nobody takes it for the whole.

    Raises:
        Exception: whatever the pieces raise before the first of them; later it is the reader who sees an error.
    """
    response = web.StreamResponse(headers={"Content-Type": content_type, **headers})
    if request.method == hdrs.METH_HEAD:
        return response
    async with aclosing(cast("AsyncGenerator[bytes]", pieces)) as opened:
        first = await anext(opened, b"")
        response.enable_chunked_encoding()
        await response.prepare(request)
        try:
            await response.write(first)
            async for piece in opened:
                if request.app[STOPPING].is_set():
                    _break_off(request)
                    return response
                await response.write(piece)
            await response.write_eof()
        except ConnectionError:  # nobody reads any more
            return response
        except BaseException:
            _break_off(request)
            raise
    return response


def _break_off(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()

"""What a connection does with bytes that are no request: it answers a problem, quotes nothing, and does not wait for ever.

Such requests never reach the application, so no middleware sees them. aiohttp would answer them in plain text, and log
a traceback that holds the very bytes it could not read, which may be those of an Authorization header.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from socket import socket
from typing import Any, Protocol, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from shared.runtime.crowd import Crowd
from shared.runtime.request_id import new_request_id
from shared.wire.problem import CONTENT_TYPE, Problem, ProblemType

SERVER = "trimtab"
"""What every answer says served it: not which library in which version."""

FIRST_REQUEST_TIMEOUT = 30.0
"""Seconds within which a new connection must have sent the whole head of a request."""

HEAD_TIMEOUT = 15.0
"""Seconds within which the head of a further request must be there, from its first byte on."""

STALL_TIMEOUT = 60.0
"""Seconds after which a reader who took less than `LEAST_PROGRESS` of what waits for them is let go."""

LEAST_PROGRESS = 16 * 1024

HANDSHAKE_TIMEOUT = 10.0
"""Seconds that the beginning of TLS may take."""

_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n"
    b"Server: trimtab\r\n\r\n"
)

_DEFAULTS = {
    # Longer than load balancers keep idle connections, so that it is they who close them.
    "keepalive_timeout": 630.0,
    # Seconds for which the rest of a body that nobody wants is read, so that its sender gets to read the answer.
    "lingering_time": 2.0,
    "max_line_size": 8 * 1024,
    "max_field_size": 8 * 1024,
}
_UNREADABLE = (HttpProcessingError, web.RequestPayloadError)

_log = logging.getLogger(__name__)


class Connection(web.RequestHandler):
    """One client's connection."""

    __slots__ = ("_address", "_crowd", "_head", "_stall", "_unsent")

    def __init__(self, manager: web.Server, *, crowd: Crowd | None, **options: Any) -> None:
        super().__init__(manager, **options)
        self._crowd, self._address = crowd, ""
        self._head: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._unsent = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the first request, if there is room for one more connection."""
        super().connection_made(transport)
        self._head = asyncio.get_running_loop().call_later(FIRST_REQUEST_TIMEOUT, self._give_up, 0)
        if self._crowd is not None:
            peer = transport.get_extra_info("peername")
            self._address = peer[0] if isinstance(peer, tuple) else ""
            if not self._crowd.enter(self._address):
                cast("asyncio.Transport", transport).write(_FULL)
                self.force_close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Wait no more."""
        for timer in (self._head, self._stall):
            if timer is not None:
                timer.cancel()
        if self._crowd is not None:
            self._crowd.leave(self._address)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; the head of a further request has its time from its first byte."""
        before = self._request_count
        super().data_received(data)
        if self._request_count != before:
            if self._head is not None:
                self._head.cancel()
                self._head = None
        elif self._head is None and self._waiter is not None and not self._waiter.done():
            self._head = asyncio.get_running_loop().call_later(HEAD_TIMEOUT, self._give_up, before)

    def pause_writing(self) -> None:
        """More waits for the reader than it takes: look whether it takes anything."""
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        """It has taken what there was."""
        super().resume_writing()
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - aiohttp's words, which quote the request
    ) -> web.StreamResponse:
        """Answer what could not be read, or what failed outside of every middleware."""
        request_id = new_request_id()
        facts = {"request_id": request_id, "address": request.remote or ""}
        if isinstance(exc, HttpProcessingError):
            _log.info("refused what is not HTTP", extra=facts | {"reason": type(exc).__name__})
        else:
            _log.error("unexpected error", exc_info=exc, extra=facts | {"status": status})
        if request.writer.output_size > 0:
            msg = "the answer had begun"
            raise ConnectionError(msg)
        problem = self._problem(exc)
        headers = {"Cache-Control": "no-store", "Server": SERVER, "X-Request-Id": request_id}
        body = problem.encode(request_id)
        response = web.Response(status=problem.type.status, body=body, content_type=CONTENT_TYPE, headers=headers)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log an error of ours as one; one in the rest of a body that nobody wanted is not worth a line."""
        if not isinstance(kw.get("exc_info"), _UNREADABLE):
            super().log_exception(*args, **kw)

    def _problem(self, error: BaseException | None) -> Problem:
        if isinstance(error, LineTooLong):
            detail = f"The URL takes at most {self.max_line_size:,} bytes, a header {self.max_field_size:,}."
            return Problem(ProblemType.HEADERS_TOO_LARGE, detail)
        if isinstance(error, HttpProcessingError):
            return Problem(ProblemType.MALFORMED, "This is not a request in valid HTTP/1.1.")
        return Problem(ProblemType.INTERNAL, "The request could not be completed.")

    def _give_up(self, requests: int) -> None:
        """Close where no further request has come since there were so many."""
        if self._request_count == requests:
            self.force_close()

    def _watch_reader(self) -> None:
        transport = self.transport
        if transport is not None:
            self._unsent = transport.get_write_buffer_size()
            self._stall = asyncio.get_running_loop().call_later(STALL_TIMEOUT, self._look_at_reader)

    def _look_at_reader(self) -> None:
        """Let a reader go that took next to nothing; what is written meanwhile does not count for it."""
        transport = self.transport
        if transport is None:
            return
        if self._unsent - transport.get_write_buffer_size() < LEAST_PROGRESS:
            _log.info("let go of a reader that does not read", extra={"address": self._address})
            transport.abort()
        else:
            self._watch_reader()


class Front(Protocol):
    """Somebody who accepts connections in our place, and may hand them on to a protocol that `behind` makes."""

    def open(self, listeners: Sequence[socket], behind: Callable[[], asyncio.Protocol]) -> None: ...
    def close(self) -> None: ...


class _Server(web.Server):
    """Makes our connections for another server's handler."""

    def __init__(self, server: web.Server, options: dict[str, Any]) -> None:
        super().__init__(server.request_handler, request_factory=server.request_factory)
        self._options = {"crowd": None} | options

    def __call__(self) -> Connection:
        return Connection(self, loop=asyncio.get_running_loop(), **self._options)


class Runner(web.AppRunner):
    """Runs an application on connections of ours; `options` are those of `web.RequestHandler`."""

    def __init__(self, app: web.Application, *, grace: float, **options: Any) -> None:
        super().__init__(app, handle_signals=False, shutdown_timeout=grace)
        self._options = _DEFAULTS | options

    def accepting(self) -> asyncio.Protocol:
        """What takes a connection that somebody else has accepted."""
        assert self.server is not None  # noqa: S101 - it is set up
        return self.server()

    async def _make_server(self) -> web.Server:
        return _Server(await super()._make_server(), self._options | {"access_log": None})


class Site(web.SockSite):
    """Where a runner accepts connections; over TLS whoever does not get to a request is not waited for either."""

    async def start(self) -> None:
        """Accept from now on."""
        await web.BaseSite.start(self)
        server, tls = self._runner.server, self._ssl_context
        assert server is not None  # noqa: S101 - the runner is set up
        patience = None if tls is None else HANDSHAKE_TIMEOUT
        self._server = await asyncio.get_running_loop().create_server(
            server, sock=self._sock, backlog=self._backlog, ssl=tls, ssl_handshake_timeout=patience
        )

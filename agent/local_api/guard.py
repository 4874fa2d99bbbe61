"""Who may call, and who may see sensitive values: Host and Origin checks, proxies, the local token, the socket."""

import hmac
import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from agent.local_api.asked import Asked
from agent.local_api.errors import ProblemError
from shared.runtime.listen import Listen
from shared.wire.problem import Problem, ProblemType

_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
_FORWARDED = (
    "by",
    "client-cert",
    "for",
    "host",
    "path",
    "port",
    "prefix",
    "proto",
    "protocol",
    "scheme",
    "server",
    "ssl",
)
_PROXY_HEADERS = frozenset(
    {"forwarded", "via", "x-forwarded", "x-real-ip", "x-client-ip", *(f"x-forwarded-{each}" for each in _FORWARDED)}
)

_MAX_SEEN = 64
"""Host headers that are remembered as good ones."""


class Guard:
    """Refuses requests that a web page or a proxy may have sent.

    A page can point a name of its own at 127.0.0.1 (DNS rebinding), but cannot choose another Host header than that
    name. On a unix socket there is no such danger, and its mode says who may read sensitive values.
    """

    def __init__(
        self, listen: Listen, local_token: str = "", allowed_hosts: Iterable[str] = (), origins: Iterable[str] = ()
    ) -> None:
        self._socket = listen.path is not None
        self._origins = frozenset(origins)
        self._token = local_token.encode()
        self._hosts = frozenset({*_LOCAL_NAMES, listen.host.lower(), *allowed_hosts})
        # Told to listen everywhere, any address of the machine is the listening address; a name is not.
        self._any_address = listen.host in {"0.0.0.0", "::", ""}  # noqa: S104 - compared, not bound
        self._seen: set[str] = set()

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse what was not meant for us."""
        self.admit(request.headers.get("Host", ""), request.headers.get("Origin"))
        return await handler(request)

    def admit(self, host: str, origin: str | None) -> None:
        """Let a request in by its Host and Origin.

        Raises:
            ProblemError: it was not meant for us.
        """
        if self._socket:
            return
        if host and host not in self._seen and not self._knows(host):
            detail = f"The Host {host!r} is not one by which this agent is called."
            raise ProblemError(Problem(ProblemType.HOST_REFUSED, detail))
        if origin is not None and origin not in self._origins and not self._serves(origin):
            detail = f"The request comes from a page of {origin!r}."
            raise ProblemError(Problem(ProblemType.HOST_REFUSED, detail))

    def called(self, asked: Asked) -> str:
        """The host and port by which a reader reaches us; empty on a socket, or where a proxy stands in between."""
        return "" if self._socket or _proxied(asked) else asked.headers.get("host", "")

    def shows_sensitive(self, asked: Asked) -> bool:
        """Whether a bulk answer may hold sensitive values. A wrong token is an error, none at all is not.

        Raises:
            ProblemError: the token is not the right one.
        """
        if _proxied(asked):
            return False
        if self._socket or not self._token:
            return self._socket
        given = asked.headers.get("authorization")
        if given is None:
            return False
        if not self._right(given):
            raise ProblemError(Problem(ProblemType.UNAUTHENTICATED, "The local token is not the right one."))
        return True

    def require_sensitive(self, asked: Asked, key: str) -> None:
        """Refuse unless this request may see the sensitive value of `key`.

        Raises:
            ProblemError: it may not; the detail says how it could.
        """
        if _proxied(asked):
            detail = f"{key!r} is sensitive, and the request came through a proxy; ask the agent directly."
            raise ProblemError(Problem(ProblemType.FORBIDDEN, detail))
        if self.shows_sensitive(asked):
            return
        if self._token:
            detail = f"{key!r} is sensitive: send the agent's local token."
            raise ProblemError(Problem(ProblemType.UNAUTHENTICATED, detail))
        detail = (
            f"{key!r} is sensitive, and this agent shows sensitive values to nobody over TCP. Give it a token in "
            "TRIMTAB_AGENT_LOCAL_TOKEN_FILE and send that one, let it listen on a unix socket, or render a file."
        )
        raise ProblemError(Problem(ProblemType.FORBIDDEN, detail))

    def _knows(self, host: str) -> bool:
        """Judge a Host header, and remember it: an application always sends the same one."""
        known = self._serves(f"//{host}")
        if known and len(self._seen) < _MAX_SEEN:
            self._seen.add(host)
        return known

    def _serves(self, url: str) -> bool:
        try:
            host = urlsplit(url).hostname
        except ValueError:
            return False
        return host is not None and (host in self._hosts or (self._any_address and _is_address(host)))

    def _right(self, authorization: str) -> bool:
        scheme, _, token = authorization.partition(" ")
        same = hmac.compare_digest(token.strip().encode(errors="surrogateescape"), self._token)
        return same and scheme.lower() == "bearer"


def _proxied(asked: Asked) -> bool:
    return not _PROXY_HEADERS.isdisjoint(asked.headers)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

"""Requests to the control plane: which replica, with which credentials, how long, and what its answers mean."""

import random
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from agent.ports import UpstreamRefusedError, UpstreamUnavailableError
from agent.upstream.shown import Shown

CONNECT_TIMEOUT = 2.0
REQUEST_TIMEOUT = 10.0
MAX_RETRY_AFTER = 300.0
"""Nobody may keep us away for longer than this, seconds."""

_LIMITS = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT, sock_connect=CONNECT_TIMEOUT)
_NOTHING: Mapping[str, str] = {}
_TEMPORARY = frozenset({408, 425, 429})
_NOT_US = frozenset({401, 403})


@asynccontextmanager
async def open_session(tls: ssl.SSLContext | None = None) -> AsyncIterator[aiohttp.ClientSession]:
    """A session as the agent's upstream needs it: few connections, no cookies, and nobody's `.netrc`.

    Without `tls` no connection over TLS can be made: the machine's certificates take 2 MB of every agent's memory.
    """
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=8, ssl=tls or True),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=_LIMITS,
    ) as session:
        yield session


def speaks_tls(urls: Sequence[str]) -> bool:
    """Whether one of them is reached over TLS."""
    return any(URL(each.strip()).scheme in {"https", "amqps"} for each in urls)


class Endpoints:
    """The control plane's replicas. Stays with one that answers; goes to the next when it cannot be reached."""

    def __init__(self, urls: Sequence[str], shown: Shown, session: aiohttp.ClientSession) -> None:
        # What is shown is the credential; a user in the URL would get in its way.
        self._urls = [URL(each.strip().rstrip("/")).with_user(None) for each in urls if each.strip()]
        if not self._urls:
            msg = "at least one URL of the control plane is needed"
            raise ValueError(msg)
        self._at = random.randrange(len(self._urls))  # noqa: S311 - spreads the fleet over the replicas
        self._shown, self._session = shown, session

    @asynccontextmanager
    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] = _NOTHING,
        headers: Mapping[str, str] = _NOTHING,
        body: bytes | None = None,
        limits: aiohttp.ClientTimeout = _LIMITS,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request to the first replica that can be reached; the answer is good when the block is entered.

        Raises:
            UpstreamUnavailableError: none can be reached, the answer breaks off, or says not now.
            UpstreamRefusedError: the answer says not you.
        """
        shown = self._shown.text
        headers = {"Authorization": f"Bearer {shown}", **headers}
        if body is not None:
            headers["Content-Type"] = "application/json"
        response = await self._first(method, path, params=params, headers=headers, data=body, timeout=limits)
        try:
            if response.status != 200:  # noqa: PLR2004 - HTTP
                raise self._refusal(response, shown)
            yield response
        except UpstreamUnavailableError:
            self._at += 1  # the next request goes to the next replica
            raise
        finally:
            if response.content.at_eof():
                response.release()
            else:
                response.close()

    async def _first(self, method: str, path: str, **options: Any) -> aiohttp.ClientResponse:
        """The answer of the first replica that gives one, whatever it says."""
        failure = UpstreamUnavailableError("no control plane is configured")
        for _ in self._urls:
            url = self._urls[self._at % len(self._urls)]
            try:
                with translated("the control plane cannot be reached"):
                    return await self._session.request(
                        method, url.joinpath(*path.split("/")), proxy=_proxy(url), allow_redirects=False, **options
                    )
            except UpstreamUnavailableError as error:
                self._at += 1
                failure = error
        raise failure

    def _refusal(self, response: aiohttp.ClientResponse, shown: str) -> Exception:
        status = response.status
        text = f"the control plane answers {status} {response.reason or ''}".rstrip()
        lasting = 300 <= status < 500 and status not in _TEMPORARY  # noqa: PLR2004 - HTTP
        if not lasting or (status in _NOT_US and self._shown.refused(shown, status)):
            return UpstreamUnavailableError(text, _retry_after(response))
        return UpstreamRefusedError(text, status)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise the HTTP client's errors as the port's, without the URL, in which somebody may have put a password."""
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        cause = getattr(error, "os_error", error)
        reason = getattr(cause, "strerror", None) or type(error).__name__
        msg = f"{what}: {reason}"
        raise UpstreamUnavailableError(msg) from error


def _proxy(url: URL) -> str | None:
    """The proxy that the environment (`HTTPS_PROXY`, `NO_PROXY`, …) wants for a URL; none to this very machine."""
    host = url.host or ""
    here = host in {"localhost", "::1"} or host.startswith("127.")
    return None if here or proxy_bypass(host) else getproxies().get(url.scheme)


def _retry_after(response: aiohttp.ClientResponse) -> float:
    """Seconds; the form with a date is not used by our control plane and counts as not given."""
    text = response.headers.get("Retry-After", "")
    return min(float(text), MAX_RETRY_AFTER) if text.isdecimal() else 0.0
